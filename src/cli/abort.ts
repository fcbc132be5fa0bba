import { RotaError } from "../base/errors.ts";
import { openJournal } from "../journal/open.ts";
import type { Lease } from "../journal/keep.ts";
import type { Fleet } from "../inventory/fleet.ts";
import type { Balancers } from "../rotation/ports.ts";
import type { Absence, Known, WholeRun } from "../rotation/records.ts";
import { confirm } from "./confirm.ts";
import { Exit, type ExitCode } from "./exit.ts";
import { findOpenRun } from "./find-run.ts";
import type { Io } from "./io.ts";
import { takeLease } from "./lease.ts";
import { untouched } from "./refuse.ts";
import { stopOnSignals } from "./signals.ts";
import { balancersAt, fleetOf, toleratedOf, whoIsThis } from "./site.ts";
import { reasonOf } from "./variables.ts";
import { readDuration } from "./words.ts";

export interface AbortArgs {
  run?: string | undefined;
  inventory?: string | undefined;
  reason?: string | undefined;
  tolerate?: string[] | undefined;
  wait?: string | undefined;
  yes?: boolean | undefined;
  json?: boolean | undefined;
}

/** Closes a run: what is proven stays in, everything else that it took out stays out, and is held. */
export async function abort(args: AbortArgs, io: Io): Promise<ExitCode> {
  const fleet = fleetOf(args.inventory, io);
  const reason = reasonOf(args.reason, fleet, io.env);
  const tolerated = toleratedOf(args.tolerate, fleet);
  const wait = readDuration("--wait", args.wait) ?? 0;
  const by = whoIsThis(io.env);
  using stop = stopOnSignals();
  await using journal = await openJournal(io.env);
  // Asked before the lease is taken: an answer that never comes must keep nobody out.
  const asked = await findOpenRun(journal, fleet.name, args.run);
  const saidOut = sayOut(await outOf(asked, journal));
  io.err(`run ${asked.run} ends here; ${saidOut}`);
  const { afterThisNode } = stop;
  await confirm({ yes: args.yes === true, force: false, name: asked.run, stop: afterThisNode }, io);

  const wanted = { fleet: fleet.name, by, command: "abort", reason, wait };
  await using lease = await takeLease(journal, wanted, stop, io);
  const run = await findOpenRun(journal, fleet.name, asked.run);
  const out = await outOf(run, journal);
  if (sayOut(out) !== saidOut) throw changedMeanwhile(asked);
  await using balancers = balancersAt(fleet.balancers, io);
  const told = { fleet, balancers, known: await knownOf(fleet, tolerated, balancers, io) };
  await hold(out.held, { by, reason: reason ?? `run ${run.run} was aborted` }, told, lease);
  await letIn(out.proven, told, lease);
  await lease.journal.end(run.run, "aborted", reason);
  const names = out.held.map(({ node }) => node);
  await journal.did({ deed: "abort", fleet: fleet.name, run: run.run, by, reason, what: sayOut(out) });
  const held = names.length > 0 ? `; held: ${names.join(", ")} (rota ready brings a node back, proven)` : "";
  io.out(args.json ? JSON.stringify({ run: run.run, held: names }) : `run ${run.run} is aborted${held}`);
  return Exit.ok;
}

const changedMeanwhile = ({ run }: WholeRun): RotaError =>
  new RotaError("REFUSED", {
    problem: `somebody went on with run ${run} meanwhile: other nodes are out now`,
    left: untouched,
    next: "the same again, which shows them",
  });

interface Out {
  held: Absence[];
  /** On their way back in steps (`ready.ramp`), which begin after the proof. */
  proven: Absence[];
}

/** What this run took out, and has not put back. */
async function outOf({ run, fleet }: WholeRun, known: Known): Promise<Out> {
  const all = [...(await known.absences(fleet)).values()];
  const out = all.filter((absence) => absence.run === run && absence.kind === "run");
  const proven = out.filter(({ found }) => found.some(({ stepped }) => stepped));
  return { held: out.filter((absence) => !proven.includes(absence)), proven };
}

function sayOut({ held, proven }: Out): string {
  const named = (absences: Absence[]): string => absences.map(({ node }) => node).join(", ");
  const parts = [
    ...(held.length > 0 ? [`${named(held)} stays out, and is held`] : []),
    ...(proven.length > 0 ? [`${named(proven)} is proven, and gets its whole weight`] : []),
  ];
  return parts.join("; ") || "no node is out because of it";
}

interface Told {
  fleet: Fleet;
  balancers: Balancers;
  /** Names of balancers that are told. */
  known: ReadonlySet<string>;
}

/** All but those that are known to be gone, and are. */
async function knownOf(
  fleet: Fleet,
  tolerated: ReadonlySet<string>,
  balancers: Balancers,
  io: Io,
): Promise<Set<string>> {
  const answering = await balancers.answering([...tolerated]);
  const gone = [...tolerated].filter((name) => !answering.includes(name));
  if (gone.length > 0) io.err(`${gone.join(", ")}: no answer, so nothing was told there (--tolerate)`);
  return new Set(fleet.balancers.map(({ name }) => name).filter((name) => !gone.includes(name)));
}

async function hold(
  out: Absence[],
  whose: { by: string; reason: string },
  { fleet, balancers, known }: Told,
  lease: Lease,
): Promise<void> {
  // There the page keeps the node out, and no balancer may be told anything.
  const byPage = new Set(
    fleet.pools.filter((p) => p.statusPage).flatMap((p) => p.nodes.map(({ name }) => name)),
  );
  for (const absence of out) {
    await lease.journal.takenOut(fleet.name, { ...absence, kind: "hold", ...whose });
    if (byPage.has(absence.node)) continue;
    const places = absence.found.filter(({ balancer }) => known.has(balancer));
    const serving = (await balancers.look(places)).filter((entry) => !entry.outBecause);
    await lease.mustHold();
    await balancers.set(serving, "maint");
  }
}

/** What is proven stays in, as it was found. */
async function letIn(proven: Absence[], { fleet, balancers, known }: Told, lease: Lease): Promise<void> {
  for (const { node, found } of proven) {
    const places = found.filter(({ balancer }) => known.has(balancer));
    await lease.mustHold();
    await balancers.weigh(places.filter(({ stepped }) => stepped));
    await balancers.askAgents(places.flatMap((at) => (at.agent ? { ...at, agent: at.agent } : [])));
    await lease.journal.putBack(fleet.name, node);
  }
}

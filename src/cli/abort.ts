import { RotaError } from "../base/errors.ts";
import { openJournal } from "../journal/open.ts";
import type { Lease } from "../journal/keep.ts";
import type { Absence, Known, WholeRun } from "../rotation/records.ts";
import { confirm } from "./confirm.ts";
import { Exit, type ExitCode } from "./exit.ts";
import { findOpenRun } from "./find-run.ts";
import { type Where, hold } from "./hold.ts";
import type { Io } from "./io.ts";
import { takeLease } from "./lease.ts";
import { tellOverdue } from "./overdue.ts";
import { untouched } from "./refuse.ts";
import { stopOnSignals } from "./signals.ts";
import { balancersAt, fleetOf, toleratedOf, whoIsThis } from "./site.ts";
import { reasonOf } from "./variables.ts";
import { inventoryWords, readDuration } from "./words.ts";

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
  await tellOverdue(journal, { fleet: fleet.name, inventory: args.inventory }, io);
  // Asked before the lease is taken: an answer that never comes must keep nobody out.
  const asked = await findOpenRun(journal, fleet.name, args.run, inventoryWords(args.inventory));
  const saidOut = sayOut(await outOf(asked, journal));
  io.err(`run ${asked.run} ends here; ${saidOut}`);
  const { afterThisNode } = stop;
  await confirm({ yes: args.yes === true, force: false, name: asked.run, stop: afterThisNode }, io);

  const wanted = { fleet: fleet.name, by, command: "abort", reason, wait, inventory: args.inventory };
  await using lease = await takeLease(journal, wanted, stop, io);
  const run = await findOpenRun(journal, fleet.name, asked.run, inventoryWords(args.inventory));
  const out = await outOf(run, journal);
  if (sayOut(out) !== saidOut) throw changedMeanwhile(asked);
  const where = { fleet, tolerated };
  await hold(out.held, { by, reason: reason ?? `run ${run.run} was aborted` }, where, lease, io);
  await letIn(out.proven, where, lease, io);
  await lease.journal.end(run.run, "aborted", reason);
  const names = out.held.map(({ node }) => node);
  await journal.did({ deed: "abort", fleet: fleet.name, run: run.run, by, reason, what: sayOut(out) });
  const held =
    names.length > 0
      ? `; held: ${names.join(", ")} (rota ready NODE${inventoryWords(args.inventory)} brings a node back, proven)`
      : "";
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
  const out = all.filter((absence) => absence.run === run);
  const proven = out.filter(({ kind, found }) => kind === "run" && found.some(({ stepped }) => stepped));
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

/** What is proven stays in, as it was found; of a balancer that is gone nothing is known. */
async function letIn(proven: Absence[], { fleet, tolerated }: Where, lease: Lease, io: Io): Promise<void> {
  if (proven.length === 0) return;
  await using balancers = balancersAt(fleet.balancers, io);
  const answering = await balancers.answering([...tolerated]);
  const told = (name: string): boolean =>
    fleet.balancers.some((balancer) => balancer.name === name) &&
    (!tolerated.has(name) || answering.includes(name));
  for (const { node, found } of proven) {
    const places = found.filter(({ balancer }) => told(balancer));
    await lease.mustHold();
    await balancers.weigh(places.filter(({ stepped }) => stepped));
    await balancers.askAgents(places.flatMap((at) => (at.agent ? { ...at, agent: at.agent } : [])));
    await lease.journal.putBack(fleet.name, node);
  }
}

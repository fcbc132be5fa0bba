import { RotaError } from "../base/errors.ts";
import { openJournal } from "../journal/open.ts";
import type { Absence, Known, WholeRun } from "../rotation/records.ts";
import { confirm } from "./confirm.ts";
import { Exit, type ExitCode } from "./exit.ts";
import { findOpenRun } from "./find-run.ts";
import { hold } from "./hold.ts";
import type { Io } from "./io.ts";
import { takeLease } from "./lease.ts";
import { untouched } from "./refuse.ts";
import { stopOnSignals } from "./signals.ts";
import { fleetOf, toleratedOf, whoIsThis } from "./site.ts";
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
  // Asked before the lease is taken: an answer that never comes must keep nobody out.
  const asked = await findOpenRun(journal, fleet.name, args.run);
  const told = sayOut(await outOf(asked, journal));
  io.err(`run ${asked.run} ends here; ${told}`);
  const { afterThisNode } = stop;
  await confirm({ yes: args.yes === true, force: false, name: asked.run, stop: afterThisNode }, io);

  const wanted = { fleet: fleet.name, by, command: "abort", reason, wait };
  await using lease = await takeLease(journal, wanted, stop, io);
  const run = await findOpenRun(journal, fleet.name, asked.run);
  const out = await outOf(run, journal);
  if (sayOut(out) !== told) throw changedMeanwhile(asked);
  await hold(out, { by, reason: reason ?? `run ${run.run} was aborted` }, { fleet, tolerated }, lease, io);
  await lease.journal.end(run.run, "aborted", reason);
  const names = out.map(({ node }) => node);
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

/** What this run took out, and has not put back. */
const outOf = async ({ run, fleet }: WholeRun, known: Known): Promise<Absence[]> =>
  [...(await known.absences(fleet)).values()].filter((absence) => absence.run === run);

const sayOut = (out: Absence[]): string =>
  out.length > 0
    ? `${out.map(({ node }) => node).join(", ")} stays out, and is held`
    : "no node is out because of it";

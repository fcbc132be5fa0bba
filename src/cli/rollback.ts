import { RotaError } from "../base/errors.ts";
import { shown } from "../inventory/names.ts";
import { openJournal } from "../journal/open.ts";
import type { Known, RunRecord, WholeRun } from "../rotation/records.ts";
import { type ChangeArgs, change } from "./change.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { untouched } from "./refuse.ts";
import { fleetOf, openSite } from "./site.ts";
import { type Undone, saySet, undoingFleet, whatToUndo } from "./undo.ts";
import { releasesBefore } from "./undo-releases.ts";
import { workToUndo } from "./undo-work.ts";
import { inventoryWords, noRunYet } from "./words.ts";

export interface RollbackArgs extends Omit<ChangeArgs, "nodes"> {
  run?: string | undefined;
  skip: string[];
  batch?: string | undefined;
  minServing?: string | undefined;
  /** Undo also where nobody knows whether an upgrade has ended. */
  retry?: boolean | undefined;
  /** Of a rollback that goes on. */
  nodes?: string[] | undefined;
}

/** Puts back what each node ran before a run: a run of its own. */
export async function rollback(args: RollbackArgs, io: Io): Promise<ExitCode> {
  const undone = await (args.resume ? goingOn(args, io) : decided(args, io));
  if (!("fleet" in undone)) {
    io.out(args.json ? JSON.stringify({ run: undone.run.run, undone: [] }) : undone.said);
    return Exit.ok;
  }
  const { run, nodes } = undone;
  if (!args.resume) io.err(`run ${run.run} (${run.command} ${saySet(run.set)}, by ${run.by}) is undone:`);
  const work = workToUndo(undone, { ...args, nodes }, io);
  if (args.resume) return change(work, io);
  const options = async (known: Known) => {
    await mustStillBeSo(undone, args, known, io);
    return work.options(known);
  };
  return change({ ...work, options }, io);
}

/** Between the decision and the lease, the run itself or another may have gone on. @throws RotaError REFUSED */
async function mustStillBeSo({ run, ...then }: Undone, args: RollbackArgs, known: Known, io: Io) {
  const fleet = fleetOf(args.inventory, io);
  const now = await whatToUndo((await known.run(run.run)) ?? run, fleet, known, { ...args, retry: true }, io);
  if (decisionOf(now) === decisionOf(then)) return;
  throw new RotaError("REFUSED", {
    problem: `run ${run.run} or another went on meanwhile: other nodes would be put back now`,
    left: untouched,
    next: "the same again, which goes by what is so now",
  });
}

const decisionOf = ({ nodes, sets, releases, onlyBack }: Omit<Undone, "run">): string =>
  JSON.stringify([nodes, sets, [...releases], onlyBack]);

/** What is to be done, or why there is nothing. */
async function decided(args: RollbackArgs, io: Io): Promise<Undone | { run: WholeRun; said: string }> {
  const { fleet, ...site } = openSite({ inventory: args.inventory, nodes: [] }, io);
  await site[Symbol.asyncDispose]();
  await using journal = await openJournal(io.env);
  const run = await runToUndo(journal, fleet.name, args.run, inventoryWords(args.inventory));
  const undone = await whatToUndo(run, fleet, journal, args, io);
  const known = new Set(fleet.pools.flatMap(({ nodes }) => nodes.map(({ name }) => name)));
  const gone = run.nodes.filter((node) => !known.has(node));
  if (gone.length > 0) io.err(`${gone.join(", ")}: no longer in the inventory, and left as it is`);
  if (undone.nodes.length > 0) return undone;
  return { run, said: await sayNothing(undone, journal, inventoryWords(args.inventory)) };
}

async function sayNothing({ run, notes }: Undone, known: Known, where: string): Promise<string> {
  const each = [...notes].map(([node, note]) => `\n  ${node} ${note}`).join("");
  const earlier = (await deploysOf(known, run.fleet)).find(
    (one) => one.started < run.started && one.outcome !== "rolled back",
  );
  const more = earlier ? `\nthe deploy before it: rota rollback ${earlier.run}${where}` : "";
  return `nothing is left to undo of run ${run.run} (${run.command} ${saySet(run.set)})${each}${more}`;
}

const deploysOf = async (known: Known, fleet: string): Promise<RunRecord[]> =>
  (await known.runs(fleet, 1_000)).filter(({ command }) => command === "deploy");

/** The run that is meant: by its id, else the fleet's last deploy. @throws RotaError USAGE */
async function runToUndo(
  known: Known,
  fleet: string,
  id: string | undefined,
  where: string,
): Promise<WholeRun> {
  const [last] = id === undefined ? await deploysOf(known, fleet) : [];
  const wanted = id ?? last?.run;
  const run = wanted === undefined ? undefined : await known.run(wanted);
  if (!run || run.fleet !== fleet) {
    const problem =
      id === undefined
        ? `${fleet} has no deploy yet that could be undone`
        : `no run of ${fleet} has an id that begins with ${shown(id)}, or several have`;
    const next = last || id !== undefined ? `rota runs${where}, which lists them` : noRunYet(where);
    throw new RotaError("USAGE", { problem, left: untouched, next });
  }
  if (run.command === "deploy" || run.command === "rollback") return run;
  throw new RotaError("USAGE", {
    problem: `run ${run.run} is a ${run.command}: it changed no release, so there is nothing to undo`,
    left: untouched,
    next: `rota rollback${where}, for the last deploy; or rota runs${where}`,
  });
}

/** As it was decided when it began. */
async function goingOn(
  { resume, nodes = [], onlyBack = [], inventory }: RollbackArgs,
  io: Io,
): Promise<Undone> {
  const { fleet, ...site } = openSite({ inventory, nodes: [] }, io);
  await site[Symbol.asyncDispose]();
  await using journal = await openJournal(io.env);
  const own = await journal.run(resume?.run ?? "");
  const run = own?.undoes === undefined ? undefined : await journal.run(own.undoes);
  if (!own || !run)
    throw new RotaError("REFUSED", {
      problem: `the run that ${resume?.run} undoes is no longer in the journal`,
      left: untouched,
      next: `rota runs${inventoryWords(inventory)}`,
    });
  const sets = own.sets ?? {};
  const back = fleet.pools.flatMap((pool) =>
    pool.nodes
      .filter(({ name }) => nodes.includes(name) && !onlyBack.includes(name))
      .map((node) => ({ node, pool })),
  );
  const releases = await releasesBefore(run, back, journal);
  const notes = new Map(nodes.map((node) => [node, `goes back to ${saySet(sets[node] ?? {})}`]));
  return { run, fleet: undoingFleet(fleet), nodes, sets, releases, onlyBack, notes };
}

import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import { RotaError } from "../base/errors.ts";
import type { Fleet } from "../inventory/fleet.ts";
import { selectNodes } from "../inventory/select.ts";
import type { OpenJournal } from "../journal/journal.ts";
import { openJournal } from "../journal/open.ts";
import type { Deed, WholeRun } from "../rotation/records.ts";
import { backOf, standingsOf, traceOf } from "../rotation/unfinished.ts";
import type { ChangeArgs } from "./change.ts";
import { Exit, type ExitCode } from "./exit.ts";
import { findOpenRun } from "./find-run.ts";
import type { Io } from "./io.ts";
import { takeLease } from "./lease.ts";
import { untouched, wentOn } from "./refuse.ts";
import { stopOnSignals } from "./signals.ts";
import { fleetOf, whoIsThis } from "./site.ts";
import { onceDoneIn, stepsDone } from "./steps-done.ts";
import { undoingFleet } from "./undo.ts";
import { isUnderWay } from "./under-way.ts";
import { reasonOf } from "./variables.ts";
import { commandLine, inventoryArgs, inventoryWords, readDuration, readSet } from "./words.ts";

export interface ResumeArgs extends Omit<ChangeArgs, "nodes" | "resume"> {
  run?: string | undefined;
  retry?: boolean | undefined;
  skip: string[];
}

/** What the journal has of a command line. */
const storedArgs = z.object({
  nodes: z.array(z.string()),
  set: z.array(z.string()).default([]),
  skip: z.array(z.string()).default([]),
  batch: z.string().optional(),
  minServing: z.string().optional(),
  maxFailures: z.string().optional(),
  includeDown: z.boolean().optional(),
  includeHeld: z.boolean().optional(),
  tolerate: z.array(z.string()).default([]),
  force: z.boolean().optional(),
  reason: z.string().optional(),
  for: z.string().optional(),
  onlyBack: z.array(z.string()).optional(),
  releases: z.array(z.string()).optional(),
});

/** Goes on with a run: half-done nodes first, then the rest; what is done is not done again. */
export async function resume(args: ResumeArgs, io: Io): Promise<ExitCode> {
  const fleet = fleetOf(args.inventory, io);
  await using journal = await openJournal(io.env);
  const run = await findOpenRun(journal, fleet.name, args.run, inventoryWords(args.inventory));
  const reason = reasonOf(args.reason, fleet, io.env);
  const did = {
    deed: "resume",
    fleet: fleet.name,
    run: run.run,
    by: whoIsThis(io.env),
    reason,
    what: undefined,
  } as const;
  if (await letGoOn(journal, run)) {
    await journal.did({ ...did, what: "it goes on where it runs" });
    const text = `run ${run.run} goes on where it runs`;
    io.out(args.json ? JSON.stringify({ run: run.run, paused: false }) : text);
    return Exit.ok;
  }
  const { nodes, failed } = nodesLeft(run, fleet, args, io);
  if (nodes.length === 0) return await close(journal, run, did, args, io);
  const stored = storedArgs.parse(run.args);
  const setOf: SetOf = (node) => run.sets?.[node.name] ?? readSet(stored.set);
  await refuseOvertaken(journal, run, nodes, setOf, args);
  const as = run.command === "rollback" ? undoingFleet(fleet) : fleet;
  const done = await stepsDone({ run, fleet: as, nodes, failed, setOf }, args, io);
  const onceDone = await onceDoneIn({ run, fleet: as, nodes, failed, setOf }, args, io);
  const { run: _, retry: __, ...given } = args;
  // One that left the inventory meanwhile is done without in any case.
  const known = new Set(fleet.balancers.map(({ name }) => name));
  const tolerate = [...stored.tolerate.filter((name) => known.has(name)), ...(args.tolerate ?? [])];
  const words = { ...stored, ...given, reason: args.reason ?? stored.reason, nodes, skip: [], tolerate };
  const again = {
    ...words,
    force: stored.force,
    resume: { run: run.run, trace: traceOf(run), did, back: backOf(run, nodes), done, onceDone },
  };
  switch (run.command) {
    case "deploy":
      return await (await import("./deploy.ts")).deploy(again, io);
    case "rollback":
      return await (await import("./rollback.ts")).rollback({ ...again, run: undefined }, io);
    case "rotate":
      return await (await import("./rotate.ts")).rotate(again, io);
    case "drain":
      return await (await import("./drain.ts")).drain(again, io);
    case "ready":
      return await (await import("./ready.ts")).ready(again, io);
  }
}

/** A run that is paused and lives goes on by itself, where it runs. */
async function letGoOn(journal: OpenJournal, run: WholeRun): Promise<boolean> {
  if (!isUnderWay(run, await journal.holderOf(run.fleet)) || !(await journal.pausedBy(run.run))) return false;
  await journal.pause(run.run, undefined);
  return true;
}

/** @throws RotaError USAGE where a node failed and nobody said what is to be done with it */
function nodesLeft(
  run: WholeRun,
  fleet: Fleet,
  args: ResumeArgs,
  io: Io,
): { nodes: string[]; failed: Set<string> } {
  const standings = standingsOf(run);
  const skipped = new Set(args.skip.length > 0 ? selectNodes(fleet, args.skip).map(({ name }) => name) : []);
  const known = new Set(fleet.pools.flatMap(({ nodes }) => nodes.map(({ name }) => name)));
  const failed = standings.failed.filter((node) => known.has(node) && !skipped.has(node));
  if (failed.length > 0 && !args.retry) {
    const words = ["resume", run.run, ...(args.inventory === undefined ? [] : ["-i", args.inventory])];
    const skip = failed.flatMap((node) => ["--skip", node]);
    throw new RotaError("USAGE", {
      problem: `${failed.join(", ")} failed in run ${run.run}: is it to be tried again, or left out?`,
      left: untouched,
      next: `${commandLine([...words, "--retry"])}, or ${commandLine([...words, ...skip])}`,
    });
  }
  const left = [...standings.halfDone, ...failed, ...standings.rest].filter((node) => !skipped.has(node));
  const gone = [...left, ...standings.failed].filter((node) => !known.has(node));
  if (gone.length > 0) io.err(`${gone.join(", ")}: no longer in the inventory, and left as it is`);
  return { nodes: left.filter((node) => known.has(node)), failed: new Set(failed) };
}

type SetOf = (node: { name: string }) => Record<string, string>;

/** @throws RotaError REFUSED where another run has given nodes something else since: this one would undo that, unsaid */
async function refuseOvertaken(
  journal: OpenJournal,
  run: WholeRun,
  nodes: string[],
  setOf: SetOf,
  { inventory }: ResumeArgs,
): Promise<void> {
  if (run.command !== "deploy" && run.command !== "rollback") return;
  const changes = (await journal.changes(run.fleet, nodes)).filter(({ wentBack }) => !wentBack);
  const since = nodes.flatMap((name) => {
    const last = changes.find(({ node }) => node === name);
    const isOther = last && last.run !== run.run && last.began > run.started;
    return isOther && !isDeepStrictEqual(last.set, setOf({ name })) ? [last] : [];
  });
  const [later] = since;
  if (!later) return;
  const words = ["abort", run.run, ...inventoryArgs(inventory)];
  throw new RotaError("REFUSED", {
    problem: `run ${later.run} (${later.command}) came after run ${run.run}, and gave ${since.map(({ node }) => node).join(", ")} something else`,
    left: untouched,
    next: `${commandLine(words)}, which closes it; then rota deploy, with what they are to run`,
  });
}

/** Every node is done or skipped: the run only has to be told so. */
async function close(
  journal: OpenJournal,
  run: WholeRun,
  did: Deed,
  args: ResumeArgs,
  io: Io,
): Promise<ExitCode> {
  using stop = stopOnSignals();
  const wait = readDuration("--wait", args.wait) ?? 0;
  const { inventory } = args;
  const wanted = { fleet: run.fleet, by: did.by, command: "resume", reason: did.reason, wait, inventory };
  await using lease = await takeLease(journal, wanted, stop, io);
  const now = await journal.run(run.run);
  if (!now || traceOf(now) !== traceOf(run)) throw wentOn(run.run, inventory);
  await lease.journal.end(run.run, "done");
  await journal.did({ ...did, what: "nothing was left to do" });
  const text = `nothing was left to do; run ${run.run} is done`;
  io.out(args.json ? JSON.stringify({ run: run.run, end: "done" }) : text);
  return Exit.ok;
}

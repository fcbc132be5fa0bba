/** One run from its first entry in the journal to its last word. */
import { dirname, resolve } from "node:path";
import { systemClock } from "../base/clock.ts";
import { RotaError } from "../base/errors.ts";
import { type Redact, redactAll } from "../base/redact.ts";
import { reportLines } from "../board/report.ts";
import { count, fit } from "../board/width.ts";
import type { RunEnd } from "../events/events.ts";
import { statusPages } from "../health/pages.ts";
import type { OpenJournal } from "../journal/journal.ts";
import type { Lease } from "../journal/keep.ts";
import {
  type GoOn,
  beforeUndo,
  failureOf,
  interruptionOf,
  isUntouched,
  sayLeft,
} from "../rotation/ending.ts";
import { thisMachineIn } from "../remote/here.ts";
import { capacityGuard } from "../rotation/capacity-guard.ts";
import { isToUndo } from "../rotation/on-failure.ts";
import { type Plan, tripsOf } from "../rotation/plan/plan.ts";
import { restartWay } from "../restart/ways.ts";
import type { Hosts } from "../rotation/ports.ts";
import type { Absence, RunStart } from "../rotation/records.ts";
import { type RolloutEnd, rollOut } from "../rotation/rollout.ts";
import { traceOf } from "../rotation/unfinished.ts";
import { type World, nameOf } from "../rotation/world.ts";
import type { ChangeArgs, Work } from "./change.ts";
import { askedBeside } from "./confirm.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { underLease } from "./lease.ts";
import { wentOn } from "./refuse.ts";
import { errorLines, showError } from "./show-error.ts";
import { shownToOthers } from "./live.ts";
import { tellLoss, writeMetrics } from "./metrics.ts";
import type { Stop } from "./signals.ts";
import { whoIsThis } from "./site.ts";
import { untilNotPaused } from "./paused.ts";
import { type Heard, type View, openView } from "./views.ts";
import { reasonOf, redactorOf } from "./variables.ts";
import { commandLine, inventoryWords } from "./words.ts";

/** What a run came to. */
export interface Acted {
  run: string;
  code: ExitCode;
  failure: RotaError | undefined;
  /** The release failed on a node, and the inventory wants the run undone. */
  isToUndo: boolean;
}

export interface Means {
  known: OpenJournal;
  /** A run that nobody finished, and that this one takes the place of. */
  over: string | undefined;
  lease: Lease;
  hosts: Hosts;
  stop: Stop;
  hear: Heard;
}

export async function act(work: Work, plan: Plan, means: Means, io: Io): Promise<Acted> {
  const { command, site, args } = work;
  const { known, lease, stop } = means;
  const { journal } = lease;
  const redact = redactorOf(site.fleet, io.env);
  const start = {
    command,
    fleet: site.fleet.name,
    by: whoIsThis(io.env),
    reason: reasonOf(args.reason, site.fleet, io.env),
    set: Object.fromEntries(Object.entries(work.set).map(([key, value]) => [key, redact(value)])),
    undoes: work.undoes?.run,
    sets: work.undoes?.sets,
  };
  const nodes = tripsOf(plan).map(nameOf);
  const run = await beginOrGoOn(work, { ...start, nodes }, means, redact);
  if (means.over !== undefined && means.over !== work.undoes?.run)
    await journal.end(means.over, "aborted", `run ${run} took its place`);
  if (work.undoes) await journal.undone(work.undoes.run, run);
  const goOn = goOnWith(run, args, redact(work.again));
  await using view = shownToOthers(await openView(io, args.json === true, means.hear), known, run);
  const over = new AbortController();
  const { signal } = over;
  const { afterThisNode, now } = stop;
  afterThisNode.addEventListener("abort", () => view.emit({ type: "stopping", how: "after this node" }), {
    signal,
  });
  now.addEventListener("abort", () => view.emit({ type: "stopping", how: "now" }), { signal });
  lease.lost.addEventListener("abort", () => view.emit({ type: "lease lost" }), { signal });
  const { sets: _, ...shown } = start;
  view.emit({ type: "run started", run, ...shown, nodes, leftAlone: plan.leftAlone });
  // Whoever saw the plan has been told.
  if (args.json) for (const { text } of plan.drift) view.emit({ type: "notice", text });

  const began = systemClock.now();
  const rollout = await closingOnDefect(view, () =>
    rollOut(plan, underLease(worldOf(work, plan, means, { run, ...start }, view, io), lease), work.travel),
  );
  const left = sayLeft(rollout.ended, rollout.notStarted);
  const undo =
    command === "deploy" && isToUndo(rollout) && !stop.afterThisNode.aborted && !lease.lost.aborted;
  const failure =
    leaseLossOf(lease, left, args) ??
    (undo ? beforeUndo(failureOf(rollout, goOn)) : failureOf(rollout, goOn)) ??
    interruptionOf(rollout, goOn) ??
    (await lastWord(() => journal.end(run, "done"), left));
  const end = endOf(failure, rollout);
  if (failure) await lastWord(() => journal.end(run, end, failure.message), left);
  const ms = Math.round(systemClock.now() - began);
  view.emit({ type: "run ended", run, end, ms, ...(failure ? told(failure) : {}) });
  if (lease.lost.aborted) await tellLoss(known, { ...start, run });
  await writeMetrics(known, start.fleet, io);
  over.abort();
  view.close();
  if (!args.json) for (const line of reportLines(view.state())) io.out(fit(line, io.width));
  if (failure) for (const line of errorLines(failure)) io.err(line);
  const defect = tellDefects(rollout, io);
  return { run, code: defect ?? exits[end], failure, isToUndo: undo && defect === undefined };
}

async function beginOrGoOn(
  { args }: Work,
  start: Omit<RunStart, "args">,
  { known, lease: { journal } }: Means,
  redact: Redact,
): Promise<string> {
  const { resume, ...given } = args;
  if (!resume)
    return journal.begin({ ...start, args: redactAll({ ...given, reason: start.reason }, redact) });
  const now = await known.run(resume.run);
  if (!now || traceOf(now) !== resume.trace) throw wentOn(resume.run, given.inventory);
  await journal.resumed(resume.run);
  await known.did({ ...resume.did, what: `does the rest: ${count(start.nodes.length, "node")}` });
  return resume.run;
}

function goOnWith(run: string, { inventory }: ChangeArgs, again: string): GoOn {
  const where = inventory === undefined ? [] : ["-i", inventory];
  return {
    resume: commandLine(["resume", run, ...where]),
    retry: commandLine(["resume", run, ...where, "--retry"]),
    drain: (nodes) => commandLine(["drain", ...nodes, ...where, "--reason", "TEXT"]),
    again,
  };
}

const exits: Record<RunEnd, ExitCode> = {
  done: Exit.ok,
  failed: Exit.failed,
  refused: Exit.refused,
  interrupted: Exit.interrupted,
  aborted: Exit.ok,
  "rolled back": Exit.ok,
};

/** What is neither the world's doing nor a person's keeps its trace, after how things were left. */
function tellDefects({ ended }: RolloutEnd, io: Io): ExitCode | undefined {
  const defect = ended.find(({ failure }) => failure !== undefined && !(failure instanceof RotaError));
  return defect && showError(defect.failure, io, false);
}

function endOf(failure: RotaError | undefined, { ended }: RolloutEnd): RunEnd {
  if (!failure) return "done";
  if (failure.code === "INTERRUPTED") return "interrupted";
  // A node that does not become well is a failure, also where nothing was done with it.
  if (failure.code === "WAIT_LIMIT") return "failed";
  return isUntouched(ended) ? "refused" : "failed";
}

/** Whoever lost the lease stops; what was begun, the next holder's survey finds. */
const leaseLossOf = ({ lost }: Lease, left: string, { inventory }: ChangeArgs): RotaError | undefined =>
  lost.aborted
    ? new RotaError("LEASE_LOST", {
        problem: "the lease went to somebody else, or could not be renewed; stopped before the next act",
        left,
        next: `rota status${inventoryWords(inventory)}, before anything else`,
      })
    : undefined;

type Start = Pick<World, "run" | "fleet" | "by" | "reason">;

const worldOf = (
  { command, site, args, set }: Work,
  { gone }: Plan,
  { known, lease, hosts, stop }: Means,
  start: Start,
  view: View,
  io: Io,
): World => ({
  command,
  hooks:
    command === "deploy" || command === "rollback"
      ? { ...site.fleet.hooks, set, redact: redactorOf(site.fleet, io.env) }
      : undefined,
  here: thisMachineIn(resolve(io.cwd, dirname(site.fleet.file)), io.env),
  run: start.run,
  fleet: start.fleet,
  by: start.by,
  reason: start.reason,
  balancers: site.balancers,
  hosts,
  health: statusPages(),
  restarts: restartWay,
  journal: lease.journal,
  clock: systemClock,
  emit: view.emit,
  afterThisNode: stop.afterThisNode,
  now: AbortSignal.any([stop.now, lease.lost]),
  guard: capacityGuard(),
  gone,
  force: args.force === true,
  absences: () => known.absences(start.fleet).catch(() => new Map<string, Absence>()),
  asks: askedBeside(view, args, AbortSignal.any([stop.afterThisNode, lease.lost]), io),
  untilWanted: (over) =>
    untilNotPaused(
      known,
      start.run,
      inventoryWords(args.inventory),
      AbortSignal.any([stop.afterThisNode, lease.lost, ...(over ? [over] : [])]),
      view.emit,
    ),
});

async function closingOnDefect<T>(view: View, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    view.close(); // a defect is told on a clean terminal
    throw thrown;
  }
}

/** A journal that fails at the very end changes nothing on the nodes, but must be known. */
async function lastWord(write: () => Promise<void>, left: string): Promise<RotaError | undefined> {
  try {
    await write();
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof RotaError)) throw thrown;
    return new RotaError(thrown.code, { problem: thrown.message, left, cause: thrown });
  }
}

const told = ({ code, message: problem, left, next }: RotaError) => ({
  code,
  problem,
  ...(left === undefined ? {} : { left }),
  ...(next === undefined ? {} : { next }),
});

/** Where the nodes of a run stand that goes on. Pure: from what the journal has of it. */
import type { StepName } from "../events/events.ts";
import type { StepRecord, WholeRun } from "./records.ts";

export interface Standings {
  /** Back, or left as they were wanted: nothing is to be done any more. */
  done: string[];
  /** Out of rotation, because something failed; or in it, and its soak or what was done on it went badly. */
  failed: string[];
  /** Begun, and cut off. */
  halfDone: string[];
  /** Their turn did not come, or they went back as found. */
  rest: string[];
}

export function standingsOf(run: WholeRun): Standings {
  const { nodes, trips, steps } = run;
  const standings: Standings = { done: [], failed: [], halfDone: [], rest: [] };
  for (const node of nodes) {
    const trip = trips.find((one) => one.node === node);
    if (trip && (trip.outcome === "out" || failedInRotation(run, trip))) standings.failed.push(node);
    else if (trip && !(trip.outcome === "as found" && trip.why !== undefined)) standings.done.push(node);
    else if (!trip && steps.some((step) => step.node === node && !isBefore(step.step)))
      standings.halfDone.push(node);
    else standings.rest.push(node);
  }
  return standings;
}

/** Its soak went badly; or it never left (drain.via: none), and what was done on it failed. */
function failedInRotation(run: WholeRun, { node, outcome, why }: WholeRun["trips"][number]): boolean {
  const step = lastStep(run, node)?.step;
  if (why === undefined || step === undefined) return false;
  if (step === "soak" || step === "undo") return true;
  return outcome === "back" && ["upgrade", "restart", "check"].includes(step);
}

/** Run while all serve: the node's trip has not begun. */
const isBefore = (step: StepName): boolean => step === "prepare" || step === "once";

const lastStep = ({ steps }: WholeRun, node: string): StepRecord | undefined =>
  steps.findLast((step) => step.node === node);

/** Nodes that are back in rotation, and have nothing left to do: the batches go on after them. */
export const backOf = ({ trips }: WholeRun, left: string[]): Set<string> =>
  new Set(trips.flatMap(({ node, outcome }) => (outcome === "back" && !left.includes(node) ? [node] : [])));

/**
 * Steps that are not done again. A node that failed is restarted again also where the restart was done: a person
 * asked for another try.
 */
export function doneSteps(run: WholeRun, node: string, failed: boolean): Set<StepName> {
  const lasting: StepName[] = ["prepare", "upgrade"];
  if (!failed) lasting.push("restart");
  if (isBack(run, node)) lasting.push("ready");
  const done = run.steps.filter((step) => step.node === node && step.ok === true).map(({ step }) => step);
  const gone = undoOfStep(run, node) ? ["upgrade", "restart"] : [];
  return new Set(lasting.filter((step) => done.includes(step) && !gone.includes(step)));
}

/** The node went back to its old release, in whole or in part, after its last upgrade. */
function undoOfStep({ steps }: WholeRun, node: string): StepRecord | undefined {
  const own = steps.filter((step) => step.node === node);
  const upgrade = own.find(({ step }) => step === "upgrade");
  return own.find(({ step, started }) => step === "undo" && !(upgrade && upgrade.started > started));
}

/** It was not watched for long enough, or is to be watched again: all else is done. */
function isBack(run: WholeRun, node: string): boolean {
  const last = lastStep(run, node);
  return last?.step === "soak" || (last?.step === "ready" && last.ok === true);
}

/** An upgrade was begun, or undone, and nobody knows how that ended. */
export const isUpgradeUnknown = (run: WholeRun, node: string): boolean =>
  isUndoUnknown(run, node) ||
  run.steps.some((step) => step.node === node && step.step === "upgrade" && step.ok === undefined);

/** The way back was begun, and may still be under way. */
export function isUndoUnknown(run: WholeRun, node: string): boolean {
  const undo = undoOfStep(run, node);
  return undo !== undefined && undo.ok === undefined;
}

/**
 * Whether what is done once for these nodes is done, or nobody knows.
 *
 * @param others nodes of other pools: one that left the inventory may have been of this one
 */
export function onceOf(
  { steps }: WholeRun,
  others: ReadonlySet<string>,
): { node: string; done: boolean } | undefined {
  const own = steps.filter(({ node, step, ok }) => step === "once" && ok !== false && !others.has(node));
  const one = own.find(({ ok }) => ok === true) ?? own[0];
  return one && { node: one.node, done: one.ok === true };
}

/** Changes whenever anybody went on with the run. */
export const traceOf = ({ outcome, steps, trips }: WholeRun): string =>
  JSON.stringify([
    outcome,
    steps.map(({ started, ended }) => [started, ended]),
    trips.map(({ ended }) => ended),
  ]);

/** "web1 back; web2 out at check; web3 at restart; 2 had no turn" */
export function sayStandings(run: WholeRun): string {
  const { done, failed, halfDone, rest } = standingsOf(run);
  const parts = [
    ...(done.length > 0 ? [`${done.length} done`] : []),
    ...failed.map((node) => `${node} failed at ${lastStep(run, node)?.step}`),
    ...halfDone.map((node) => `${node} was at ${lastStep(run, node)?.step}`),
    ...(rest.length > 0 ? [`${rest.length} had no turn`] : []),
  ];
  return parts.join("; ");
}

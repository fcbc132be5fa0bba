/** What a rollback puts back on a node, and by which commands. Pure. */
import type { Pool } from "../inventory/fleet.ts";
import type { Change, WholeRun } from "./records.ts";

/** What the run's undoing is for one node. */
export type Undo =
  /** It goes back to what this earlier run gave it. */
  | { kind: "back to"; before: Change }
  /** It ran something else before that, and the journal does not know what. */
  | { kind: "unknown" }
  /** It runs what it ran, for nothing was done on it, or it went back by itself; but it is out. */
  | { kind: "put back"; wentBack?: true }
  /** It is as it was. */
  | { kind: "untouched" }
  /** It went back by itself, and serves. */
  | { kind: "went back" }
  /** Another run has undone it already. */
  | { kind: "undone"; by: string }
  /** Another run worked on it since. */
  | { kind: "changed since"; by: Change };

/**
 * @param run the run that is undone
 * @param changes of any nodes, the newest first
 * @param isOut the run took the node out, and has not put it back
 */
export function undoOf(run: WholeRun, node: string, changes: Change[], isOut: boolean): Undo {
  // What a later run did and took back changed nothing.
  const own = changes.filter((one) => one.node === node && (one.run === run.run || !one.wentBack));
  const change = own.find((one) => one.run === run.run);
  if (!change) return { kind: isOut ? "put back" : "untouched" };
  const last = lastStanding(run, own);
  if (last && last.run !== run.run)
    return last.undoes === run.run ? { kind: "undone", by: last.run } : { kind: "changed since", by: last };
  if (change.wentBack) return isOut ? { kind: "put back", wentBack: true } : { kind: "went back" };
  const before = lastGoodBefore(change, own);
  return before ? { kind: "back to", before } : { kind: "unknown" };
}

/** @param own changes of the same node, the newest first */
export const lastGoodBefore = (change: Change, own: Change[]): Change | undefined =>
  own.find((one) => one.good && one.run !== change.run && endedBefore(one, change));

const endedBefore = ({ ended }: Change, { began }: Change): boolean => ended !== undefined && ended <= began;

/**
 * The change that made the node what it is: neither one that was undone since, nor a try to undo this run that did
 * not end well, after which it is to be undone still.
 */
function lastStanding(run: WholeRun, own: Change[]): Change | undefined {
  const [newest, ...older] = own;
  if (!newest || newest.run === run.run || newest.undoes === undefined) return newest;
  if (newest.undoes === run.run) return newest.good ? newest : lastStanding(run, older);
  if (!newest.good) return newest;
  const undone = older.findIndex((one) => one.run === newest.undoes);
  return lastStanding(run, older.slice(undone + 1));
}

/** What the node needs to know for its way back. */
export type Values = { variables: Record<string, string> } | { lacks: string[] };

/**
 * The one place that decides how the nodes of a pool are put back: by the pool's own `rollback`, else as a deploy of
 * what they ran before would do it. Fast: what comes back was good before, so nothing is watched or weighed in steps.
 */
export function undoingPool(pool: Pool): Pool {
  const { rollback, rollout, ready } = pool;
  return {
    ...pool,
    // A release that a node had was prepared then.
    prepare: rollback || pool.release ? undefined : pool.prepare,
    once: undefined,
    upgrade: rollback ?? pool.upgrade,
    ready: { ...ready, ramp: undefined },
    rollout: {
      ...rollout,
      canary: { count: 0 },
      batch: rollout.batch.slice(-1),
      soak: 0,
      pipeline: false,
      maxFailures: 0,
      onFailure: "stop",
    },
  };
}

/**
 * @param before what the node was given by the run that it goes back to
 * @returns `lacks`: names that its way back needs, and whose values nobody knows
 */
export function valuesToUndo({ rollback, needs }: Pool, before: Record<string, string>): Values {
  const release = before["RELEASE"];
  const lacks = needs.filter((need) => before[need] === undefined || before[need] === "");
  const wanted = rollback !== undefined && /\bPREVIOUS\b/.test(rollback.run);
  if (wanted && release === undefined && !lacks.includes("RELEASE")) lacks.push("RELEASE");
  if (lacks.length > 0) return { lacks };
  return { variables: { ...before, ...(release === undefined ? {} : { PREVIOUS: release }) } };
}

import type { Pool } from "../inventory/fleet.ts";
import { type Ahead, isOvertaken, leaveAhead } from "./ahead.ts";
import { type Begun, type SoFar, type Stopped, beginBatch, keepOutFailed, outcomeOf } from "./batch.ts";
import { hookOf, runHook, tellHook } from "./hooks.ts";
import { rotateNode } from "./node.ts";
import type { Batch } from "./plan/batches.ts";
import { type Plan, type PoolPlan, tripsOf } from "./plan/plan.ts";
import { countAhead } from "./look-ahead.ts";
import { prepareNodes } from "./prepare.ts";
import { type TripEnd, isOfSoak, isStillToCome } from "./trip-end.ts";
import { type Trip, type Turn, type World, nameOf } from "./world.ts";

export interface RolloutEnd {
  ended: TripEnd[];
  /** Nodes whose turn did not come. */
  notStarted: Trip[];
  /** Where too many nodes failed. */
  stoppedIn: Pool | undefined;
  /** A hook of the run or of a batch that failed, where that stopped it or was the last of it. */
  hook: unknown;
}

export type Travel = (trip: Trip, world: World) => Promise<void>;

/** Between the hooks of the fleet: what comes after is run however it ended. */
export async function rollOut(plan: Plan, world: World, travel: Travel = rotateNode): Promise<RolloutEnd> {
  const { pools } = plan;
  const about = {
    nodes: tripsOf(plan).map(nameOf),
    within: Math.max(0, ...pools.map(({ pool }) => pool.limits.command)),
  };
  const before = await hookOf(runHook("before_deploy", world.hooks?.beforeDeploy, about, world), world);
  const rollout = before
    ? { ...endOf(plan, [], undefined), hook: before }
    : await rollPools(plan, world, travel);
  const isCut = rollout.hook !== undefined || rollout.notStarted.length > 0;
  const outcome = outcomeOf(rollout.ended, world, isCut);
  const after = runHook("after_deploy", world.hooks?.afterDeploy, { ...about, outcome }, world);
  return { ...rollout, hook: rollout.hook ?? (await hookOf(after, world)) };
}

/**
 * Pool after pool, batch after batch; the next is changed only when this one is back, and well. Stops where too many nodes failed,
 * before the first leaves if it was in what all of them are prepared with.
 */
async function rollPools(plan: Plan, world: World, travel: Travel): Promise<RolloutEnd> {
  const enoughIn = ({ name, rollout }: Pool, all: TripEnd[]): boolean =>
    mustStop(world) ||
    all.some(({ failure }) => isOfSoak(failure)) ||
    failures(all.filter(({ trip }) => trip.pool.name === name)) > rollout.maxFailures ||
    failures(all) > plan.maxFailures;
  for (const trip of plan.pools[0]?.batches[0]?.trips ?? []) void countAhead(trip, world);
  const ended = await prepareNodes(plan, world, (failed) =>
    plan.pools.some(({ pool }) => enoughIn(pool, failed)),
  );
  if (plan.pools.some(({ pool }) => enoughIn(pool, ended))) return endOf(plan, ended, undefined);
  for (const one of plan.pools) {
    const { pool } = one;
    const so = { ended, enough: () => enoughIn(pool, ended) };
    const stopped = await rollOutPool({ ...one, batches: stillToGo(one.batches, ended) }, so, world, travel);
    if (!stopped && !enoughIn(pool, ended)) continue;
    await keepOutFailed(ended, world);
    return { ...endOf(plan, ended, pool), hook: stopped?.hook };
  }
  await keepOutFailed(ended, world);
  return endOf(plan, ended, undefined);
}

function endOf(plan: Plan, ended: TripEnd[], stoppedIn: Pool | undefined): RolloutEnd {
  const started = new Set(ended.map(({ trip }) => trip));
  const notStarted = tripsOf(plan).filter((trip) => !started.has(trip));
  return { ended, notStarted, stoppedIn, hook: undefined };
}

/** Without the nodes that could not be prepared. */
const stillToGo = (batches: Batch[], ended: TripEnd[]): Batch[] =>
  batches
    .map((batch) => ({
      ...batch,
      trips: batch.trips.filter((trip) => ended.every((one) => one.trip !== trip)),
    }))
    .filter(({ trips }) => trips.length > 0);

async function rollOutPool(
  plan: PoolPlan,
  so: SoFar,
  world: World,
  travel: Travel,
): Promise<Stopped | undefined> {
  const begin = (at: number, turn?: Turn) => beginBatch(plan, at, so, world, travel, turn);
  let ahead: Ahead<Begun | Stopped> | undefined;
  for (const at of plan.batches.keys()) {
    const begun = (await ahead?.begun) ?? (await begin(at));
    if (!begun || "hook" in begun) return begun;
    const { trips, company, ends, after } = begun;
    ahead =
      company && isOvertaken(plan, at)
        ? leaveAhead(trips, company, ends, world, (turn) => begin(at + 1, turn))
        : undefined;
    const ended = await ends;
    so.ended.push(...ended);
    const hook = await hookOf(after(ended), world);
    if (hook === undefined && !so.enough()) ahead?.comes();
    else {
      if (ahead) so.ended.push(...(await recall(ahead, hook, world)));
      return hook === undefined ? undefined : { hook };
    }
  }
  return undefined;
}

/** The batch ahead is put back as found: it is still to come. @returns what did not go so */
async function recall(
  { begun, turn, lose }: Ahead<Begun | Stopped>,
  hook: unknown,
  world: World,
): Promise<TripEnd[]> {
  const stopped = mustStop(world) ? "the run was stopped" : `${turn.after} did not end well`;
  lose(hook === undefined ? stopped : "after_batch failed");
  const batch = await begun;
  if (!batch || "hook" in batch) return [];
  const ends = await batch.ends;
  await tellHook(batch.after(ends), world);
  return ends.filter((one) => !isStillToCome(one));
}

const mustStop = ({ afterThisNode, now }: World): boolean => afterThisNode.aborted || now.aborted;

const failures = (ended: TripEnd[]): number => ended.filter(({ failure }) => failure !== undefined).length;

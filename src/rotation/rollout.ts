import PQueue from "p-queue";
import type { Pool } from "../inventory/fleet.ts";
import type { Batch } from "./plan/batches.ts";
import { afterFailure, endOf as tripEndOf } from "./failure.ts";
import { rotateNode } from "./node.ts";
import { type Plan, type PoolPlan, tripsOf } from "./plan/plan.ts";
import { countAhead, lookAhead } from "./look-ahead.ts";
import { prepareNodes } from "./prepare.ts";
import { type HookOutcome, runHook, tellHook } from "./hooks.ts";
import { doOnce } from "./once.ts";
import { companyOf } from "./soak/soak.ts";
import { type TripEnd, isOfSoak, tellEnd } from "./trip-end.ts";
import { wayOf } from "./ways.ts";
import { type Trip, type World, nameOf } from "./world.ts";

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

/** @returns what stops the run; in a rollback, which must not wait for that to be mended, it is only told */
async function hookOf(hooked: Promise<void>, world: World): Promise<unknown> {
  if (world.command !== "rollback")
    return hooked.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  await tellHook(hooked, world);
  return undefined;
}

/** @param isCut nodes were left whose turn did not come */
const outcomeOf = (ended: TripEnd[], { afterThisNode, now }: World, isCut = false): HookOutcome => {
  if (ended.some(({ failure }) => failure !== undefined)) return now.aborted ? "interrupted" : "failed";
  if (!isCut) return "done";
  return afterThisNode.aborted ? "interrupted" : "failed";
};

/**
 * Pool after pool, batch after batch; the next only when this one is back. Stops where too many nodes failed,
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

interface SoFar {
  /** Grows. */
  ended: TripEnd[];
  enough: () => boolean;
}

/** @returns why it goes no further though no node too many failed: a hook did, or what is done once */
async function rollOutPool(
  { pool, batches, neighbours, once }: PoolPlan,
  { ended, enough }: SoFar,
  world: World,
  travel: Travel,
): Promise<{ hook: unknown } | undefined> {
  for (const [i, { trips, canary }] of batches.entries()) {
    if (enough()) break;
    await keepOutFailed(ended, world);
    const go = await whenWanted(travel, world);
    if (enough()) break; // that may have been a long wait
    const notDone = i === 0 ? await doOnce({ once, batches }, world) : undefined;
    if (notDone) {
      ended.push(notDone);
      return { hook: undefined };
    }
    const nodes = trips.map(nameOf);
    const about = { nodes, pool, within: pool.limits.command };
    const before = await hookOf(runHook("before_batch", pool.hooks.beforeBatch, about, world), world);
    if (before !== undefined) return { hook: before };
    const mark = canary ? { canary } : {};
    world.emit({ type: "batch started", pool: pool.name, batch: i + 1, of: batches.length, nodes, ...mark });
    lookAhead(batches[i + 1]?.trips ?? [], world);
    const others = neighbours.filter(({ name }) => !isTouched(name, trips, ended));
    const company = companyOf(trips, others);
    for (const trip of trips) trip.company = company;
    const ends = await allAtOnce(trips, (trip) => travelOne(trip, world, go));
    ended.push(...ends);
    const outcome = outcomeOf(ends, world);
    const after = runHook("after_batch", pool.hooks.afterBatch, { ...about, outcome }, world);
    const failed = await hookOf(after, world);
    if (failed !== undefined) return { hook: failed };
  }
  return undefined;
}

/** Where nobody can say whether the run is paused, the next nodes fail with that, untouched; the rest is told too. */
const whenWanted = (travel: Travel, world: World): Promise<Travel> =>
  world.untilWanted().then(
    () => travel,
    (thrown: unknown) => async () => {
      throw thrown;
    },
  );

/** Waits for all of them; `travelOne` gives every failure as a result. */
const allAtOnce = <T>(trips: Trip[], work: (trip: Trip) => Promise<T>): Promise<T[]> =>
  new PQueue({ concurrency: Math.max(1, trips.length) }).addAll(trips.map((trip) => () => work(trip)));

/** Not as it was before the run. */
const isTouched = (node: string, batch: Trip[], ended: TripEnd[]): boolean =>
  batch.some((trip) => nameOf(trip) === node) ||
  ended.some(({ trip, end }) => nameOf(trip) === node && end !== "as found");

const mustStop = ({ afterThisNode, now }: World): boolean => afterThisNode.aborted || now.aborted;

const failures = (ended: TripEnd[]): number => ended.filter(({ failure }) => failure !== undefined).length;

async function travelOne(trip: Trip, world: World, travel: Travel): Promise<TripEnd> {
  const started = world.clock.now();
  const { hooks, limits } = trip.pool;
  const about = { nodes: [nameOf(trip)], pool: trip.pool, trip, within: limits.command };
  const { end, failure } = await runHook("before_node", hooks.beforeNode, about, world)
    .then(() => travel(trip, world))
    .then(
      () => ({ end: tripEndOf(trip), failure: undefined }),
      (thrown: unknown) => afterFailure(trip, thrown, world),
    );
  trip.company?.underway.delete(trip); // whoever is back waits no longer for it
  const outcome = outcomeOf([{ trip, end, failure }], world);
  const after = runHook("after_node", hooks.afterNode, { ...about, outcome }, world);
  // It says that the node is not well after all; where that is known already, it changes nothing.
  if (failure === undefined) {
    const found = await after.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    return tellEnd({ trip, end, failure: found }, started, world);
  }
  await tellHook(after, world);
  return tellEnd({ trip, end, failure }, started, world);
}

async function keepOutFailed(ended: TripEnd[], world: World): Promise<void> {
  const failed = ended.filter(({ end, trip: { reached } }) => end === "out" && reached === "changed");
  for (const { trip } of failed) await wayOf(trip).lookAfter(trip, world);
}

import PQueue from "p-queue";
import type { Pool } from "../inventory/fleet.ts";
import type { Batch } from "./plan/batches.ts";
import { afterFailure, endOf as tripEndOf } from "./failure.ts";
import { rotateNode } from "./node.ts";
import { type Plan, type PoolPlan, tripsOf } from "./plan/plan.ts";
import { prepareNodes } from "./prepare.ts";
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
}

export type Travel = (trip: Trip, world: World) => Promise<void>;

/**
 * Pool after pool, batch after batch; the next only when this one is back. Stops where too many nodes failed,
 * before the first leaves if it was in what all of them are prepared with.
 */
export async function rollOut(plan: Plan, world: World, travel: Travel = rotateNode): Promise<RolloutEnd> {
  const enoughIn = ({ name, rollout }: Pool, all: TripEnd[]): boolean =>
    mustStop(world) ||
    all.some(({ failure }) => isOfSoak(failure)) ||
    failures(all.filter(({ trip }) => trip.pool.name === name)) > rollout.maxFailures ||
    failures(all) > plan.maxFailures;
  const ended = await prepareNodes(plan, world, (failed) =>
    plan.pools.some(({ pool }) => enoughIn(pool, failed)),
  );
  if (plan.pools.some(({ pool }) => enoughIn(pool, ended))) return endOf(plan, ended, undefined);
  let stoppedIn: Pool | undefined;
  for (const { pool, batches, neighbours } of plan.pools) {
    await rollOutPool(
      { pool, batches: stillToGo(batches, ended), neighbours },
      { ended, enough: () => enoughIn(pool, ended) },
      world,
      travel,
    );
    if (!enoughIn(pool, ended)) continue;
    stoppedIn = pool;
    break;
  }
  await keepOutFailed(ended, world);
  return endOf(plan, ended, stoppedIn);
}

function endOf(plan: Plan, ended: TripEnd[], stoppedIn: Pool | undefined): RolloutEnd {
  const started = new Set(ended.map(({ trip }) => trip));
  return { ended, notStarted: tripsOf(plan).filter((trip) => !started.has(trip)), stoppedIn };
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

async function rollOutPool(
  { pool, batches, neighbours }: Pick<PoolPlan, "pool" | "batches" | "neighbours">,
  { ended, enough }: SoFar,
  world: World,
  travel: Travel,
): Promise<void> {
  for (const [i, { trips, canary }] of batches.entries()) {
    if (enough()) break;
    await keepOutFailed(ended, world);
    const go = await whenWanted(travel, world);
    if (enough()) break; // that may have been a long wait
    const nodes = trips.map(nameOf);
    const mark = canary ? { canary } : {};
    world.emit({ type: "batch started", pool: pool.name, batch: i + 1, of: batches.length, nodes, ...mark });
    // The next batch's connections are opened while this one is out; what fails shows when its turn comes.
    for (const { node, hostNeeded } of batches[i + 1]?.trips ?? [])
      if (hostNeeded) world.hosts.open(node).catch(() => undefined);
    const others = neighbours.filter(({ name }) => !isTouched(name, trips, ended));
    const company = companyOf(trips, others);
    for (const trip of trips) trip.company = company;
    ended.push(...(await allAtOnce(trips, (trip) => travelOne(trip, world, go))));
  }
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
  const { end, failure } = await travel(trip, world).then(
    () => ({ end: tripEndOf(trip), failure: undefined }),
    (thrown: unknown) => afterFailure(trip, thrown, world),
  );
  trip.company?.underway.delete(trip); // whoever is back waits no longer for it
  return tellEnd({ trip, end, failure }, started, world);
}

async function keepOutFailed(ended: TripEnd[], world: World): Promise<void> {
  const failed = ended.filter(({ end, trip: { reached } }) => end === "out" && reached === "changed");
  for (const { trip } of failed) await wayOf(trip).lookAfter(trip, world);
}

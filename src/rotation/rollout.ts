import PQueue from "p-queue";
import { RotaError, messageOf } from "../base/errors.ts";
import type { NodeEnd } from "../events/events.ts";
import { afterFailure, endOf } from "./failure.ts";
import { rotateNode } from "./node.ts";
import { type Plan, type PoolPlan, tripsOf } from "./plan.ts";
import { wayOf } from "./ways.ts";
import { type Trip, type World, nameOf } from "./world.ts";

/** How one node's trip ended, and why if not well. */
export interface TripEnd {
  trip: Trip;
  end: NodeEnd;
  failure: unknown;
}

export interface RolloutEnd {
  ended: TripEnd[];
  /** Nodes whose turn did not come. */
  notStarted: Trip[];
}

export type Travel = (trip: Trip, world: World) => Promise<void>;

/** Pool after pool, batch after batch; the next only when this one is back. Stops where too many nodes failed. */
export async function rollOut(plan: Plan, world: World, travel: Travel = rotateNode): Promise<RolloutEnd> {
  const ended: TripEnd[] = [];
  for (const { pool, batches } of plan.pools) {
    const before = failures(ended);
    const enough = (done: TripEnd[]): boolean =>
      mustStop(world) ||
      failures(done) > pool.rollout.maxFailures ||
      before + failures(done) > plan.maxFailures;
    const done = await rollOutPool({ pool, batches }, enough, world, travel);
    ended.push(...done);
    if (enough(done)) break;
  }
  await keepOutFailed(ended, world);
  const started = new Set(ended.map(({ trip }) => trip));
  return { ended, notStarted: tripsOf(plan).filter((trip) => !started.has(trip)) };
}

async function rollOutPool(
  { pool, batches }: PoolPlan,
  enough: (ended: TripEnd[]) => boolean,
  world: World,
  travel: Travel,
): Promise<TripEnd[]> {
  const ended: TripEnd[] = [];
  for (const [i, { trips }] of batches.entries()) {
    if (enough(ended)) break;
    await keepOutFailed(ended, world);
    const go = await whenWanted(travel, world);
    if (enough(ended)) break; // that may have been a long wait
    const nodes = trips.map(nameOf);
    world.emit({ type: "batch started", pool: pool.name, batch: i + 1, of: batches.length, nodes });
    // The next batch's connections are opened while this one is out; what fails shows when its turn comes.
    for (const { node, hostNeeded } of batches[i + 1]?.trips ?? [])
      if (hostNeeded) world.hosts.open(node).catch(() => undefined);
    ended.push(...(await allAtOnce(trips, (trip) => travelOne(trip, world, go))));
  }
  return ended;
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

const mustStop = ({ afterThisNode, now }: World): boolean => afterThisNode.aborted || now.aborted;

const failures = (ended: TripEnd[]): number => ended.filter(({ failure }) => failure !== undefined).length;

async function travelOne(trip: Trip, world: World, travel: Travel): Promise<TripEnd> {
  const started = world.clock.now();
  const { end, failure } = await travel(trip, world).then(
    () => ({ end: endOf(trip), failure: undefined }),
    (thrown: unknown) => afterFailure(trip, thrown, world),
  );
  const now = world.clock.now();
  const outMs = trip.outSince === undefined ? 0 : now - trip.outSince;
  const why = failure === undefined ? {} : { why: messageOf(failure) };
  world.emit({
    type: "node ended",
    node: nameOf(trip),
    end,
    ms: Math.round(now - started),
    outMs: Math.round(outMs),
    ...why,
  });
  // A journal that can't be written must not hide how the other nodes of the batch ended.
  const unwritten = await writeEnd(trip, end, failure, world).catch((thrown: unknown) => thrown);
  world.hosts.close(trip.node);
  return { trip, end, failure: failure ?? unwritten };
}

/** A trip that was stopped in the middle has no end: a resume goes on with it. */
async function writeEnd(trip: Trip, end: NodeEnd, failure: unknown, { journal, run }: World): Promise<void> {
  if (failure instanceof RotaError && failure.code === "INTERRUPTED" && end === "out") return;
  await journal.nodeEnded(run, nameOf(trip), end, failure === undefined ? undefined : messageOf(failure));
}

async function keepOutFailed(ended: TripEnd[], world: World): Promise<void> {
  const failed = ended.filter(({ end, trip: { reached } }) => end === "out" && reached === "changed");
  for (const { trip } of failed) await wayOf(trip).lookAfter(trip, world);
}

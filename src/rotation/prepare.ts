import PQueue from "p-queue";
import { afterFailure } from "./failure.ts";
import { type Plan, tripsOf } from "./plan/plan.ts";
import { prepareNode } from "./release/bring.ts";
import { type TripEnd, tellEnd } from "./trip-end.ts";
import { type Trip, type World, isToPrepare, step } from "./world.ts";

/** Commands at once: they may all fetch from one place, while the nodes serve. */
const atOnce = 10;
/** Uploads at once, of these: they share one line. */
const uploadsAtOnce = 5;

/**
 * Runs what is to be done before any node leaves, on all that take part. No other is begun once enough have
 * failed; those that were begun end.
 *
 * @returns the nodes on which it failed: they are as they were
 */
export async function prepareNodes(
  plan: Plan,
  world: World,
  enough: (ended: TripEnd[]) => boolean,
): Promise<TripEnd[]> {
  const failed: TripEnd[] = [];
  const trips = tripsOf(plan).filter(isToPrepare);
  const uploads = new PQueue({ concurrency: uploadsAtOnce });
  const first = new Set(plan.pools[0]?.batches[0]?.trips);
  await new PQueue({ concurrency: atOnce }).addAll(
    trips.map((trip) => async () => {
      if (enough(failed)) return;
      const end = await prepareOne(trip, world, uploads);
      if (end) failed.push(end);
      // Connections are kept for those that leave first; the others' turn may be far.
      if (!first.has(trip)) world.hosts.close(trip.node);
    }),
  );
  return failed;
}

const prepareOne = (trip: Trip, world: World, uploads: PQueue): Promise<TripEnd | undefined> =>
  beforeLeaving(trip, world, () => step(trip, "prepare", world, () => prepareNode(trip, world, uploads)));

/** Something on a node whose turn has not come. @returns its end, where that failed: it is as it was */
export async function beforeLeaving(
  trip: Trip,
  world: World,
  work: () => Promise<void>,
): Promise<TripEnd | undefined> {
  const started = world.clock.now();
  try {
    await work();
    return undefined;
  } catch (thrown) {
    const { end, failure } = await afterFailure(trip, thrown, world);
    return await tellEnd({ trip, end, failure }, started, world);
  }
}

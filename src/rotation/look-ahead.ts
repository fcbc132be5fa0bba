/** What a node's turn needs and can have before it comes, while others are out. What fails shows when its turn comes. */
import { RotaError } from "../base/errors.ts";
import { type Trip, type World, watchedOf } from "./world.ts";

/** Its connection is opened, and its counters are read. */
export function lookAhead(trips: Trip[], world: World): void {
  for (const { node, hostNeeded } of trips) if (hostNeeded) world.hosts.open(node).catch(() => undefined);
  for (const trip of trips) void countAhead(trip, world);
}

/** Requests that were tried again long ago are so known from those that are now. */
export async function countAhead(trip: Trip, { balancers, clock }: World): Promise<void> {
  if (trip.places.length === 0) return;
  try {
    const seen = await balancers.watch(watchedOf(trip));
    trip.seenBefore = { at: clock.now(), seen };
  } catch (thrown) {
    if (!(thrown instanceof RotaError)) throw thrown;
  }
}

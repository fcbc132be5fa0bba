/** A node that stays in rotation while it is worked on: its app keeps serving. One that fails is taken out after all. */
import { RotaError } from "../base/errors.ts";
import { passes } from "./host.ts";
import { byRuntime } from "./by-runtime.ts";
import { recordAbsence } from "./leave.ts";
import { untilAnswered } from "./unanswered.ts";
import type { Way } from "./ways.ts";
import { type Trip, type World, nameOf } from "./world.ts";

export const inPlace: Way = {
  ...byRuntime,

  async outOfReach(trip) {
    trip.reached = "changed";
  },

  whileOutOfReach: (_, __, work) => work(),
  untilHealthy: passes,

  async putBack(trip) {
    trip.reached = "back";
  },

  // One at a time, as through the capacity guard: two must not count on the same spare.
  keepOut: (trip, world) => takeOut(trip, world).finally(() => world.guard.left(trip)),
};

async function takeOut(trip: Trip, world: World): Promise<void> {
  const why = await whyItStays(trip, world);
  if (why !== undefined) {
    trip.reached = "back";
    return notice(trip, world, `stays in rotation, though it failed: ${why}`);
  }
  await recordAbsence(trip, world);
  await byRuntime.keepOut(trip, world);
  trip.outSince = world.clock.now();
  notice(trip, world, "failed, and is taken out of rotation");
}

/** A failed node may still serve better than none. */
async function whyItStays(trip: Trip, world: World): Promise<string | undefined> {
  if (trip.places.length === 0) return "no balancer is in the inventory";
  try {
    const seen = await untilAnswered(trip, world, () => world.balancers.look(trip.places));
    const serving = seen.filter(({ outBecause }) => outBecause === undefined);
    const lacks = await untilAnswered(trip, world, () =>
      world.guard.lacks(trip, [...serving, ...trip.followers], world),
    );
    return lacks.length > 0 ? lacks.join("; ") : undefined;
  } catch (thrown) {
    if (!(thrown instanceof RotaError)) throw thrown;
    return thrown.message; // who can spare it is not known
  }
}

const notice = (trip: Trip, { emit }: World, text: string): void =>
  emit({ type: "notice", node: nameOf(trip), text: `${nameOf(trip)} ${text}` });

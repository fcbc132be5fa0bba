/** A node that stays in rotation while it is worked on: its app keeps serving. One that fails is taken out after all. */
import { passes } from "./host.ts";
import { byRuntime } from "./by-runtime.ts";
import { lacksNow, recordAbsence } from "./leave.ts";
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

  async keepOut(trip, world) {
    const why = await whyItStays(trip, world);
    if (why !== undefined) {
      trip.reached = "back";
      return notice(trip, world, `stays in rotation, though it failed: ${why}`);
    }
    await recordAbsence(trip, world);
    await byRuntime.keepOut(trip, world);
    trip.outSince = world.clock.now();
    notice(trip, world, "failed, and is taken out of rotation");
  },
};

/** A failed node may still serve better than none. */
async function whyItStays(trip: Trip, world: World): Promise<string | undefined> {
  if (trip.places.length === 0) return "no balancer is in the inventory";
  const serving = (await world.balancers.look(trip.places)).filter(
    ({ outBecause }) => outBecause === undefined,
  );
  const lacks = await lacksNow(trip, serving, world);
  return lacks.length > 0 ? lacks.join("; ") : undefined;
}

const notice = (trip: Trip, { emit }: World, text: string): void =>
  emit({ type: "notice", node: nameOf(trip), text: `${nameOf(trip)} ${text}` });

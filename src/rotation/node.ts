import { inTurn } from "./ahead.ts";
import { orGoBack } from "./go-back.ts";
import { leave, survey } from "./leave.ts";
import { mustRunRelease, pruneReleases } from "./release/switch.ts";
import { restart, withEvidence } from "./restart.ts";
import { soak } from "./soak/soak.ts";
import { upgrade } from "./upgrade.ts";
import { wayOf } from "./ways.ts";
import { type Trip, type World, step } from "./world.ts";

/**
 * One node's trip: out, upgraded, restarted, proven, back, and watched under traffic. What happens when a step fails is
 * in `failure.ts`.
 */
export async function rotateNode(trip: Trip, world: World): Promise<void> {
  const way = wayOf(trip);
  if (trip.done.has("ready")) return soakNode(trip, world);
  await step(trip, "survey", world, () => survey(trip, world, way));
  if (!trip.stays) {
    await step(trip, "drain", world, () => leave(trip, world, way));
    await step(trip, "settle", world, () => way.untilQuiet(trip, world));
  }
  await inTurn(trip, world, way);
  if (trip.upgrade !== undefined || trip.release)
    await step(trip, "upgrade", world, () => upgrade(trip, world, way));
  await orGoBack(trip, world, way, () => step(trip, "restart", world, () => restart(trip, world, way)));
  await step(trip, "check", world, () =>
    withEvidence(trip, world, "check", async () => {
      await way.untilHealthy(trip, world);
      await mustRunRelease(trip, world);
    }),
  );
  await step(trip, "ready", world, () => way.putBack(trip, world));
  if (trip.company) await step(trip, "soak", world, () => soak(trip, world));
  await pruneReleases(trip, world);
}

/** Back already, in a run that was stopped before it had been watched for long enough. */
async function soakNode(trip: Trip, world: World): Promise<void> {
  trip.reached = "back";
  if (trip.company) await step(trip, "soak", world, () => soak(trip, world));
  await pruneReleases(trip, world);
}

/** Out by hand: the same steps as far as they go. */
export async function drainNode(trip: Trip, world: World): Promise<void> {
  const way = wayOf(trip);
  await step(trip, "survey", world, () => survey(trip, world, way));
  await step(trip, "drain", world, () => leave(trip, world, way));
  await step(trip, "settle", world, () => way.untilQuiet(trip, world));
}

/** Back by hand: proven first. */
export async function readyNode(trip: Trip, world: World): Promise<void> {
  const way = wayOf(trip);
  await step(trip, "survey", world, () => survey(trip, world, way));
  await step(trip, "check", world, () => way.untilHealthy(trip, world));
  await step(trip, "ready", world, () => way.putBack(trip, world));
}

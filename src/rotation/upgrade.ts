import { runOnNode } from "./host.ts";
import { switchToRelease } from "./release/switch.ts";
import type { Way } from "./ways.ts";
import type { Trip, World } from "./world.ts";

/** The link to the release, and then the pool's own commands. */
export async function upgrade(trip: Trip, world: World, way: Way): Promise<void> {
  const { release, upgrade: script } = trip;
  await way.outOfReach(trip, world);
  await way.whileOutOfReach(trip, world, async () => {
    if (release) await switchToRelease(trip, release, world);
    if (script !== undefined) await runOnNode(trip, "upgrade", { run: script }, world);
  });
}

import { runOnNode } from "./host.ts";
import { beforeLeaving } from "./prepare.ts";
import type { PoolPlan } from "./plan/plan.ts";
import type { TripEnd } from "./trip-end.ts";
import { type World, step } from "./world.ts";

/**
 * What is done on one node for all of the pool, before the first leaves: migrations. The journal has it before and
 * after, so that a resume does not do it again.
 *
 * @returns the node on which it failed: none may leave then
 */
export async function doOnce(
  { once: script, batches }: Pick<PoolPlan, "once" | "batches">,
  world: World,
): Promise<TripEnd | undefined> {
  const [first] = batches[0]?.trips ?? [];
  if (script === undefined || !first) return undefined;
  return beforeLeaving(first, world, () =>
    step(first, "once", world, () => runOnNode(first, "once", { run: script }, world)),
  );
}

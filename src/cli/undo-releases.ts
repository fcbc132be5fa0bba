import { RotaError } from "../base/errors.ts";
import type { Node, Pool } from "../inventory/fleet.ts";
import type { Known, WholeRun } from "../rotation/records.ts";
import { type NodeRelease, releaseAt } from "../rotation/release/release.ts";
import { untouched } from "./refuse.ts";

/**
 * What the link of each node led to before a run switched it; nothing for nodes on which it did not.
 *
 * @throws RotaError REFUSED for a node that had none
 */
export async function releasesBefore(
  { run, fleet }: WholeRun,
  nodes: { node: Node; pool: Pool }[],
  known: Known,
): Promise<Map<string, NodeRelease>> {
  const before = new Map<string, NodeRelease>();
  for (const { node, pool } of nodes) {
    if (!pool.release) continue;
    // A run that was resumed may have switched more than once: what it found is the oldest.
    const first = (await known.switches(fleet, node.name)).filter((one) => one.run === run).at(-1);
    if (!first) continue;
    if (first.before === undefined)
      throw new RotaError("REFUSED", {
        problem: `${node.name} had no release before run ${run}: ${first.to}/current was not there`,
        left: untouched,
        next: "rota deploy of the release that it shall run",
      });
    before.set(node.name, releaseAt(first.to, first.before, pool.release.keep));
  }
  return before;
}

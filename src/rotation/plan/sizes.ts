/** How many nodes leave together, as a rollout goes on. Pure. */
import { type Rollout, type Share, shareOf } from "../../inventory/fleet.ts";

/** Nodes that go first, alone. */
export const canaryOf = ({ canary }: Rollout, nodes: number): number =>
  "count" in canary ? canary.count : shareOf(canary, nodes, "down");

/**
 * How many may leave next. Counted in nodes that are done, not in batches: so it goes on where it was after an
 * interruption, and also after a batch that min_serving made smaller. The last size is always given whole.
 *
 * @param nodes of the pool
 * @param done nodes of the pool that are back already
 */
export function sizeAfter(rollout: Rollout, nodes: number, done: number): number {
  const canary = canaryOf(rollout, nodes);
  const leading = [...(canary > 0 ? [{ count: canary }] : []), ...rollout.batch.slice(0, -1)];
  let before = 0;
  for (const size of leading.map((share) => sizeOf(share, nodes))) {
    if (done < before + size) return before + size - done;
    before += size;
  }
  return sizeOf(rollout.batch.at(-1) ?? { count: 1 }, nodes);
}

const sizeOf = (share: Share, nodes: number): number => shareOf(share, nodes, "down");

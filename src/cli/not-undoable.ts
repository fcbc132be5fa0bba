import type { Fleet } from "../inventory/fleet.ts";
import type { Plan } from "../rotation/plan/plan.ts";
import type { Known } from "../rotation/records.ts";
import { nameOf } from "../rotation/world.ts";

/** What `rollout.on_failure: rollback` could not undo of a deploy that is planned, for people. */
export async function sayNotUndoable(
  { pools }: Plan,
  { name: fleet }: Fleet,
  known: Known,
): Promise<string[]> {
  const concerned = pools.filter(({ pool }) => pool.rollout.onFailure === "rollback");
  const nodes = concerned.flatMap(({ batches }) => batches.flatMap(({ trips }) => trips.map(nameOf)));
  if (nodes.length === 0) return [];
  const changes = await known.changes(fleet, nodes);
  const unknown = nodes.filter((node) => !changes.some((change) => change.node === node && change.good));
  if (unknown.length === 0) return [];
  return [
    `on_failure: rollback could put nothing back: no good run of ${unknown.join(", ")} is in the journal`,
  ];
}

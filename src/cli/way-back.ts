/** What a node goes back to by itself, where its workers can't run the new release and the pool says `rollback`. */
import type { Fleet, Node, Pool } from "../inventory/fleet.ts";
import type { Change, Known } from "../rotation/records.ts";
import { valuesToUndo } from "../rotation/undo.ts";
import type { WayBack } from "../rotation/world.ts";
import type { Io } from "./io.ts";
import type { Site } from "./site.ts";
import { variablesOf } from "./variables.ts";

/** By the names of the nodes; without those of which nobody knows what they ran. */
export async function waysBack(
  { fleet, nodes: chosen }: Site,
  known: Known,
  io: Io,
): Promise<Map<string, WayBack>> {
  const mayNeed = new Set(chosen);
  const nodes = fleet.pools
    .filter(({ rollback }) => rollback !== undefined)
    .flatMap((pool) => pool.nodes.filter((node) => mayNeed.has(node)).map((node) => ({ pool, node })));
  if (nodes.length === 0) return new Map();
  const names = nodes.map(({ node }) => node.name);
  const last = new Map<string, Change>();
  for (const change of await known.changes(fleet.name, names))
    if (change.good && !last.has(change.node)) last.set(change.node, change);
  return new Map(
    nodes.flatMap(({ pool, node }): [string, WayBack][] => {
      const back = wayBack(pool, node, last.get(node.name)?.set, fleet, io);
      return back ? [[node.name, back]] : [];
    }),
  );
}

function wayBack(
  pool: Pool,
  node: Node,
  before: Change["set"] | undefined,
  { name }: Fleet,
  { env }: Io,
): WayBack | undefined {
  const values = before && valuesToUndo(pool, before);
  if (!pool.rollback || !values || "lacks" in values) return undefined;
  // A secret is not stored.
  if (Object.values(values.variables).some((value) => value.includes("[secret]"))) return undefined;
  return { run: pool.rollback.run, variables: variablesOf(node, values.variables, name, env).variables };
}

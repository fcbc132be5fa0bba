/** What a node goes back to by itself, where its workers can't run the new release and the pool says `rollback`. */
import type { Fleet, Node, Pool } from "../inventory/fleet.ts";
import type { Change, Known } from "../rotation/records.ts";
import { valuesToUndo } from "../rotation/undo.ts";
import type { WayBack } from "../rotation/world.ts";
import type { Io } from "./io.ts";
import type { Site } from "./site.ts";
import { variablesOf } from "./variables.ts";

/** By the names of the nodes; without those of which nobody knows what they ran. */
export async function waysBack({ fleet }: Site, known: Known, io: Io): Promise<Map<string, WayBack>> {
  const pools = fleet.pools.filter(({ rollback }) => rollback !== undefined);
  const nodes = pools.flatMap((pool) => pool.nodes.map(({ name }) => name));
  if (nodes.length === 0) return new Map();
  const changes = await known.changes(fleet.name, nodes);
  return new Map(
    pools.flatMap((pool) =>
      pool.nodes.flatMap((node): [string, WayBack][] => {
        const back = wayBack(pool, node, changes, fleet, io);
        return back ? [[node.name, back]] : [];
      }),
    ),
  );
}

function wayBack(
  pool: Pool,
  node: Node,
  changes: Change[],
  { name }: Fleet,
  { env }: Io,
): WayBack | undefined {
  const before = changes.find((change) => change.node === node.name && change.good)?.set;
  const values = before && valuesToUndo(pool, before);
  if (!pool.rollback || !values || "lacks" in values) return undefined;
  // A secret is not stored.
  if (Object.values(values.variables).some((value) => value.includes("[secret]"))) return undefined;
  return { run: pool.rollback.run, variables: variablesOf(node, values.variables, name, env).variables };
}

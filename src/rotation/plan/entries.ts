/** Where nodes stand, and which of them serve beside those that are worked on. Pure. */
import type { Fleet, Node, Pool } from "../../inventory/fleet.ts";
import type { Entry, Place, Survey } from "../ports.ts";
import type { Neighbour } from "../soak/soak.ts";
import type { PlanOptions } from "./plan.ts";

/** Where a node stands on the balancers of its pool, and where it should and doesn't. */
export function entriesOfNode(
  fleet: Fleet,
  pool: Pool,
  node: Node,
  survey: Survey,
): { entries: Entry[]; lacks: string[] } {
  const entries = (byServer(survey).get(node.server) ?? []).filter(
    (entry) =>
      pool.balancers.includes(entry.balancer) &&
      (pool.backends === undefined || pool.backends.includes(entry.backend)),
  );
  const has = (balancer: string, backend?: string): boolean =>
    entries.some(
      (entry) => entry.balancer === balancer && (backend === undefined || entry.backend === backend),
    );
  const lacks = fleet.balancers
    .filter(
      ({ name }) => pool.balancers.includes(name) && !survey.unread.some(({ balancer }) => balancer === name),
    )
    .flatMap(({ name }) => {
      const backends = pool.backends?.filter((backend) => !has(name, backend)) ?? [];
      if (pool.backends)
        return backends.map(
          (backend) => `${name}: backend ${backend} has no server ${node.server} (node ${node.name})`,
        );
      return has(name) ? [] : [`${name}: no backend has a server ${node.server} (node ${node.name})`];
    });
  return { entries, lacks };
}

/** A fleet asks for each of its nodes: sorted once for each survey. */
const sorted = new WeakMap<Entry[], Map<string, Entry[]>>();

function byServer({ entries }: Survey): Map<string, Entry[]> {
  const known = sorted.get(entries) ?? new Map<string, Entry[]>();
  if (sorted.has(entries)) return known;
  for (const entry of entries) {
    const own = known.get(entry.server);
    if (own) own.push(entry);
    else known.set(entry.server, [entry]);
  }
  sorted.set(entries, known);
  return known;
}

export function neighboursIn(
  fleet: Fleet,
  pool: Pool,
  survey: Survey,
  { doneBefore, done }: PlanOptions,
): Neighbour[] {
  if (pool.rollout.soak === 0) return [];
  const others = pool.nodes.filter((node) => !doneBefore?.(node) && !done?.(node).has("ready"));
  return others.flatMap((node) => {
    const { entries } = entriesOfNode(fleet, pool, node, survey);
    const serves = entries.every(({ outBecause }) => outBecause === undefined);
    return serves ? [{ name: node.name, places: entries.filter(({ backup }) => !backup).map(placeOf) }] : [];
  });
}

export const placeOf = ({ balancer, backend, server }: Place): Place => ({ balancer, backend, server });

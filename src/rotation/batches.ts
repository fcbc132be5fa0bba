/** Which nodes leave together, and who serves meanwhile. Pure. */
import { type Pool, shareOf } from "../inventory/fleet.ts";
import { sayLack } from "./leave.ts";
import type { PlanOptions } from "./plan.ts";
import type { Backend, Entry } from "./ports.ts";
import type { Standing, Trip } from "./world.ts";

export interface Batch {
  trips: Trip[];
  /** Each backend while this batch is out. */
  capacity: Capacity[];
}

export interface Capacity {
  balancer: string;
  backend: string;
  servers: number;
  serving: number;
  /** min_serving, counted. */
  least: number;
}

/** Nodes that are out anyway go first and cost nothing; the others as many at once as every backend can spare. */
export function inBatches(
  pool: Pool,
  trips: Trip[],
  all: Backend[],
  { force, errand }: PlanOptions,
): { batches: Batch[]; lacks: string[] } {
  const size = shareOf(pool.rollout.batch, pool.nodes.length, "down");
  const backends = new Map(all.map((b) => [`${b.balancer}/${b.backend}`, { ...b }]));
  const inOrder = [
    ...trips.filter((t) => t.standing !== "serving"),
    ...trips.filter((t) => t.standing === "serving"),
  ];
  const batches: Batch[] = [];
  const lacks = new Set<string>();
  let batch: Trip[] = [];
  const close = (): void => {
    if (batch.length > 0) batches.push({ trips: batch, capacity: capacityOf(pool, batch, backends) });
    for (const { key, entry, standing } of batch.flatMap(costs)) {
      const backend = backends.get(key);
      if (!backend || entry.backup) continue;
      // Those that were out serve when they are back; those that are held don't serve any more.
      const serves = entry.outBecause === undefined;
      if (errand.hold) backend.serving -= serves ? 1 : 0;
      else if (standing !== "held") backend.serving += serves ? 0 : 1;
    }
    batch = [];
  };
  // No node that serves leaves while those that were out are not back.
  const fits = (trip: Trip): boolean =>
    batch.length < size &&
    batch.every((other) => (other.standing === "serving") === (trip.standing === "serving")) &&
    canSpare(pool, [...batch, trip], backends);
  for (const trip of inOrder) {
    if (!fits(trip)) close();
    if (!force && !canSpare(pool, [trip], backends)) {
      for (const lack of lackOf(pool, [trip], backends)) lacks.add(lack);
    }
    batch.push(trip);
  }
  close();
  return { batches, lacks: [...lacks] };
}

type Backends = Map<string, Backend>;

const costs = ({ entries, standing }: Trip): { key: string; entry: Entry; standing: Standing }[] =>
  entries.map((entry) => ({ key: `${entry.balancer}/${entry.backend}`, entry, standing }));

const leavers = (trips: Trip[], key: string): number =>
  trips
    .flatMap(costs)
    .filter((cost) => cost.key === key && cost.entry.outBecause === undefined && !cost.entry.backup).length;

const lackingOf = (pool: Pool, trips: Trip[], backends: Backends): Backend[] =>
  [...backends].flatMap(([key, b]) => {
    const leaving = leavers(trips, key);
    return leaving > 0 && b.serving - leaving < shareOf(pool.rollout.minServing, b.servers, "up") ? [b] : [];
  });

const canSpare = (pool: Pool, trips: Trip[], backends: Backends): boolean =>
  lackingOf(pool, trips, backends).length === 0;

const lackOf = (pool: Pool, trips: Trip[], backends: Backends): string[] =>
  lackingOf(pool, trips, backends).map((b) => sayLack(b, shareOf(pool.rollout.minServing, b.servers, "up")));

const capacityOf = (pool: Pool, trips: Trip[], backends: Backends): Capacity[] =>
  [...backends]
    .filter(([key]) => trips.flatMap(costs).some((cost) => cost.key === key))
    .map(([key, { balancer, backend, servers, serving }]) => ({
      balancer,
      backend,
      servers,
      serving: serving - leavers(trips, key),
      least: shareOf(pool.rollout.minServing, servers, "up"),
    }));

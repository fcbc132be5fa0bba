/** What a run will do, before anything is touched: who, in which order, and who serves meanwhile. Pure. */
import { RotaError } from "../base/errors.ts";
import { type Redact, redactor } from "../base/redact.ts";
import { type Fleet, type Node, type Pool, type Share, shareOf } from "../inventory/fleet.ts";
import { asFound, sayLack } from "./leave.ts";
import { partOf } from "./participation.ts";
import type { Absence, Backend, Entry, Place, Survey } from "./ports.ts";
import type { Trip } from "./world.ts";

export interface PlanOptions {
  /** Nodes that the words of the command line chose, in the order of the file. */
  nodes: Node[];
  /** Of these, the ones that a person named. */
  named: ReadonlySet<string>;
  skip: ReadonlySet<string>;
  includeDown: boolean;
  includeHeld: boolean;
  batch: Share | undefined;
  minServing: Share | undefined;
  maxFailures: number | undefined;
  /** Without it, the plan is a rotation alone. */
  withUpgrade: boolean;
  force: boolean;
  variablesOf: (pool: Pool, node: Node) => { variables: Record<string, string>; secrets: string[] };
}

export interface Plan {
  pools: PoolPlan[];
  leftAlone: { node: string; why: string }[];
}

export interface PoolPlan {
  pool: Pool;
  batches: Batch[];
}

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

/** @throws RotaError SERVER_MISSING listing all; CAPACITY where not even one node can be spared */
export function makePlan(
  fleet: Fleet,
  survey: Survey,
  absences: Map<string, Absence>,
  options: PlanOptions,
): Plan {
  const plan: Plan = { pools: [], leftAlone: [] };
  const missing: string[] = [];
  const lacking: string[] = [];
  for (const pool of fleet.pools.map((p) => withOptions(p, options))) {
    const trips: Trip[] = [];
    for (const node of pool.nodes.filter((n) => options.nodes.some(({ name }) => name === n.name))) {
      if (options.skip.has(node.name)) {
        plan.leftAlone.push({ node: node.name, why: "skipped on the command line" });
        continue;
      }
      const { entries, lacks } = entriesOfNode(fleet, pool, node, survey);
      missing.push(...lacks);
      const absence = absences.get(node.name);
      const part = partOf(entries, absence, { ...options, named: options.named.has(node.name) });
      if (!part.takesPart) plan.leftAlone.push({ node: node.name, why: part.why });
      else trips.push(startTrip(pool, node, entries, absence, part.standing, options));
    }
    if (trips.length === 0) continue;
    const { batches, lacks } = inBatches(pool, trips, survey.backends, options.force);
    lacking.push(...lacks);
    plan.pools.push({ pool, batches });
  }
  if (missing.length > 0)
    throw new RotaError("SERVER_MISSING", { problem: missing.join("\n"), left: "nothing was touched" });
  if (lacking.length > 0) {
    throw new RotaError("CAPACITY", {
      problem: `not one node can be spared:\n${lacking.map((lack) => `  ${lack}`).join("\n")}`,
      left: "nothing was touched",
      next: "bring servers back first (rota status), lower --min-serving, or --force past this guard",
    });
  }
  return plan;
}

const withOptions = (pool: Pool, { batch, minServing, maxFailures }: PlanOptions): Pool => ({
  ...pool,
  rollout: {
    batch: batch ?? pool.rollout.batch,
    minServing: minServing ?? pool.rollout.minServing,
    maxFailures: maxFailures ?? pool.rollout.maxFailures,
  },
});

/** Where a node stands on the balancers of its pool, and where it should and doesn't. */
export function entriesOfNode(
  fleet: Fleet,
  pool: Pool,
  node: Node,
  survey: Survey,
): { entries: Entry[]; lacks: string[] } {
  const entries = survey.entries.filter(
    (entry) =>
      entry.server === node.server &&
      pool.balancers.includes(entry.balancer) &&
      (pool.backends === undefined || pool.backends.includes(entry.backend)),
  );
  const has = (balancer: string, backend?: string): boolean =>
    entries.some(
      (entry) => entry.balancer === balancer && (backend === undefined || entry.backend === backend),
    );
  const lacks = fleet.balancers
    .filter(({ name }) => pool.balancers.includes(name))
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

export function startTrip(
  pool: Pool,
  node: Node,
  entries: Entry[],
  absence: Absence | undefined,
  standing: Trip["standing"],
  { withUpgrade, variablesOf }: Pick<PlanOptions, "withUpgrade" | "variablesOf">,
): Trip {
  const { variables, secrets } = variablesOf(pool, node);
  const redact: Redact = redactor(secrets);
  return {
    node,
    pool,
    standing,
    absence,
    entries,
    places: entries.map(placeOf),
    found: standing === "ours" && absence ? absence.found : entries.map(asFound),
    hold: undefined,
    hostNeeded: true,
    variables,
    upgrade: withUpgrade ? pool.upgrade : undefined,
    reached: "untouched",
    process: undefined,
    outSince: undefined,
    lastLines: [],
    redact,
  };
}

const placeOf = ({ balancer, backend, server }: Place): Place => ({ balancer, backend, server });

/** Nodes that are out anyway go first and cost nothing; the others as many at once as every backend can spare. */
function inBatches(
  pool: Pool,
  trips: Trip[],
  all: Backend[],
  force: boolean,
): { batches: Batch[]; lacks: string[] } {
  const size = shareOf(pool.rollout.batch, trips.length, "down");
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
    // Those that were down serve when they are back.
    for (const { key, entry } of batch.flatMap(costs)) {
      const backend = backends.get(key);
      if (backend && entry.outBecause === "health" && !entry.backup) backend.serving += 1;
    }
    batch = [];
  };
  for (const trip of inOrder) {
    if (batch.length >= size || (batch.length > 0 && !canSpare(pool, [...batch, trip], backends))) close();
    if (!force && !canSpare(pool, [trip], backends)) {
      for (const lack of lackOf(pool, [trip], backends)) lacks.add(lack);
    }
    batch.push(trip);
  }
  close();
  return { batches, lacks: [...lacks] };
}

type Backends = Map<string, Backend>;

const costs = (trip: Trip): { key: string; entry: Entry }[] =>
  trip.entries.map((entry) => ({ key: `${entry.balancer}/${entry.backend}`, entry }));

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

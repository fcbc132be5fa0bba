/** Which nodes leave together, and who serves meanwhile. Pure. */
import type { Pool } from "../../inventory/fleet.ts";
import { type Knowing, type Leaving, lackOf, leastOf, leavingOf, sayBackend } from "./capacity.ts";
import { samePlace } from "../place.ts";
import type { PlanOptions } from "./plan.ts";
import type { Backend, Entry } from "../ports.ts";
import { canaryOf, sizeAfter } from "./sizes.ts";
import type { Trip } from "../world.ts";

export interface Batch {
  trips: Trip[];
  /** The first nodes of the pool that are to show that the release is good. */
  canary: boolean;
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
  /** Where the weights of its servers differ. */
  weight: { whole: number; serving: number; least: number } | undefined;
}

export interface Batches {
  batches: Batch[];
  /** Why a node can't be spared at all. */
  lacks: string[];
  /** The first batch that min_serving made smaller than it was to be. */
  smaller: { size: number; wanted: number; why: string } | undefined;
}

/** Every backend of every balancer, by "lb1/app", as it is once the batches planned so far are back. */
export type Backends = Map<string, Backend>;

export const backendsByName = (backends: Backend[]): Backends =>
  new Map(backends.map((b) => [sayBackend(b), { ...b }]));

/**
 * Nodes that are back and only to be watched go first, as what they show is for the others; then those that are out
 * anyway, which cost nothing; the rest as many at once as every backend can spare.
 */
export function inBatches(
  pool: Pool,
  trips: Trip[],
  backends: Backends,
  { force, errand, doneBefore, knowing }: PlanOptions & { knowing: Knowing },
): Batches {
  const rollout = errand.hostNeeded ? pool.rollout : { ...pool.rollout, canary: { count: 0 } };
  const canary = canaryOf(rollout, pool.nodes.length);
  let done = pool.nodes.filter((node) => doneBefore?.(node)).length;
  const isBack = (trip: Trip): boolean => trip.done.has("ready");
  const toWork = trips.filter((trip) => !isBack(trip));
  const inOrder = [
    ...trips.filter(isBack),
    ...toWork.filter((t) => t.standing !== "serving"),
    ...toWork.filter((t) => t.standing === "serving"),
  ];
  const batches: Batch[] = [];
  const lacks = new Set<string>();
  let smaller: Batches["smaller"];
  let batch: Trip[] = [];
  let leaving: LeavingBy = new Map();
  const sizeNow = (): number => sizeAfter(rollout, pool.nodes.length, done);
  const lacksOf = (some: LeavingBy): string[] => lacksFor(pool, some, backends, knowing);
  const close = (): void => {
    if (batch.length === 0) return;
    // A node that stays out shows nothing of how the release bears traffic.
    const back = batch.filter(({ standing }) => standing !== "held").length;
    batches.push({
      trips: batch,
      canary: back > 0 && done < canary,
      capacity: capacityOf(pool, batch, leaving, backends),
    });
    for (const trip of batch) settle(trip, backends, errand.hold !== undefined);
    done += back;
    [batch, leaving] = [[], new Map()];
  };
  // No node that serves leaves while those that were out are not back, nor while one is only watched.
  const isOneOf = (trip: Trip): boolean => {
    const [first = trip] = batch;
    const isAlike = (first.standing === "serving") === (trip.standing === "serving");
    return batch.length < sizeNow() && isAlike && isBack(first) === isBack(trip);
  };
  for (const [i, trip] of inOrder.entries()) {
    const own = leavingWith([trip]);
    const [lack] = isOneOf(trip) ? lacksOf(together(leaving, own)) : [];
    if (lack !== undefined && batch.length > 0 && lacks.size === 0) {
      const wanted = Math.min(sizeNow(), batch.length + inOrder.length - i);
      smaller ??= { size: batch.length, wanted, why: lack };
    }
    if (!isOneOf(trip) || lack !== undefined) close();
    if (!force) for (const alone of lacksOf(own)) lacks.add(alone);
    batch.push(trip);
    leaving = together(leaving, own);
  }
  close();
  return { batches, lacks: [...lacks], smaller };
}

const isIn = (entry: Entry): boolean => entry.outBecause === undefined;

/** The servers of a node, and those that follow them. */
const entriesOf = ({ entries, followers }: Trip): Entry[] => [...entries, ...followers];

/** What leaves each backend, by "lb1/app". */
type LeavingBy = ReadonlyMap<string, Leaving>;

function leavingWith(trips: Trip[]): LeavingBy {
  const leavers = new Map<string, Entry[]>();
  const leave = trips.filter(({ done, stays }) => !done.has("ready") && !stays); // which stay where they are
  for (const entry of leave.flatMap(entriesOf).filter((one) => isIn(one) && !one.backup)) {
    const others = leavers.get(sayBackend(entry));
    if (others) others.push(entry);
    else leavers.set(sayBackend(entry), [entry]);
  }
  return new Map([...leavers].map(([key, entries]) => [key, leavingOf(entries)]));
}

/** A batch grows node by node, and is not counted anew with each. */
function together(some: LeavingBy, others: LeavingBy): LeavingBy {
  const sum = new Map(some);
  for (const [key, { servers, weight }] of others) {
    const so = sum.get(key) ?? none;
    sum.set(key, { servers: so.servers + servers, weight: so.weight + weight });
  }
  return sum;
}

const none: Leaving = { servers: 0, weight: 0 };

/** What its trip leaves behind: those that were out serve when they are back; those that are held serve no more. */
function settle(trip: Trip, backends: Backends, hold: boolean): void {
  for (const entry of entriesOf(trip).filter(({ backup }) => !backup)) {
    const backend = backends.get(sayBackend(entry));
    if (!backend) continue;
    if (hold && isIn(entry)) count(backend, entry, -1);
    else if (!hold && !isIn(entry) && comesBack(trip, entry)) count(backend, entry, 1);
  }
}

function comesBack({ standing, found }: Trip, entry: Entry): boolean {
  if (standing === "held" || entry.weight === 0) return false;
  const before = found.find((place) => samePlace(place, entry)) ?? entry;
  return before.admin === "ready";
}

function count(backend: Backend, entry: Entry, servers: 1 | -1): void {
  backend.serving += servers;
  if (backend.weight)
    backend.weight = { ...backend.weight, serving: backend.weight.serving + servers * entry.weight };
  const others = backend.absent.filter((absent) => !samePlace(absent, entry));
  backend.absent = servers > 0 ? others : [...others, { ...entry, status: "held out by this drain" }];
}

const lacksFor = ({ rollout }: Pool, leaving: LeavingBy, backends: Backends, knowing: Knowing): string[] =>
  [...backends].flatMap(
    ([key, backend]) => lackOf(backend, rollout.minServing, leaving.get(key) ?? none, knowing) ?? [],
  );

function capacityOf(pool: Pool, trips: Trip[], leaving: LeavingBy, backends: Backends): Capacity[] {
  const theirs = new Set(trips.flatMap(entriesOf).map(sayBackend));
  return [...backends]
    .filter(([key]) => theirs.has(key))
    .map(([key, backend]) => {
      const { balancer, backend: name, servers, serving, weight } = backend;
      const out = leaving.get(key) ?? none;
      const least = leastOf(backend, pool.rollout.minServing);
      return {
        balancer,
        backend: name,
        servers,
        serving: serving - out.servers,
        least: least.servers,
        weight: weight && { ...weight, serving: weight.serving - out.weight, least: least.weight },
      };
    });
}

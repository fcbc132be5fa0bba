/** The nodes that leave together, from the hook before them to the one after. */
import PQueue from "p-queue";
import { aheadOfTurn, isOvertaken } from "./ahead.ts";
import { afterFailure, endOf } from "./failure.ts";
import { type HookOutcome, hookOf, runHook, tellHook } from "./hooks.ts";
import { lookAhead } from "./look-ahead.ts";
import { doOnce } from "./once.ts";
import type { PoolPlan } from "./plan/plan.ts";
import type { Travel } from "./rollout.ts";
import { type Company, companyOf } from "./soak/soak.ts";
import { type TripEnd, isStillToCome, tellEnd } from "./trip-end.ts";
import { wayOf } from "./ways.ts";
import { type Trip, type Turn, type World, nameOf } from "./world.ts";

export interface SoFar {
  /** Grows. */
  ended: TripEnd[];
  enough: () => boolean;
}

/** Why it goes no further though no node too many failed: a hook did, or what is done once. */
export interface Stopped {
  hook: unknown;
}

/** A batch on its way. */
export interface Begun {
  trips: Trip[];
  company: Company | undefined;
  ends: Promise<TripEnd[]>;
  after: (ends: TripEnd[]) => Promise<void>;
}

/** @returns undefined where it is not to begin */
export async function beginBatch(
  plan: PoolPlan,
  at: number,
  { ended, enough }: SoFar,
  world: World,
  travel: Travel,
  turn?: Turn,
): Promise<Begun | Stopped | undefined> {
  const { pool, batches, neighbours, once } = plan;
  const [before, batch, next] = [batches[at - 1], batches[at], batches[at + 1]];
  if (!batch || enough()) return undefined;
  await keepOutFailed(ended, world);
  const wanted = await whenWanted(travel, world, turn);
  if (enough() || turn?.lost.aborted) return undefined; // that may have been a long wait
  const notDone = at === 0 ? await doOnce({ once, batches }, world) : undefined;
  if (notDone) {
    ended.push(notDone);
    return { hook: undefined };
  }
  const { trips, canary } = batch;
  const nodes = trips.map(nameOf);
  const about = { nodes, pool, within: pool.limits.command };
  const failed = await hookOf(runHook("before_batch", pool.hooks.beforeBatch, about, world), world);
  if (failed !== undefined) return { hook: failed };
  const mark = canary ? { canary } : {};
  world.emit({ type: "batch started", pool: pool.name, batch: at + 1, of: batches.length, nodes, ...mark });
  lookAhead(next?.trips ?? [], world);
  // Nor those that are watched still, or that leave while this one is.
  const beside = [
    ...trips,
    ...(turn && before ? before.trips : []),
    ...(next && isOvertaken(plan, at) ? next.trips : []),
  ];
  const touched = touchedBy(beside, ended);
  const company = companyOf(
    trips,
    neighbours.filter(({ name }) => !touched.has(name)),
  );
  for (const trip of trips) trip.company = company;
  const go = turn ? aheadOfTurn(wanted, turn) : wanted;
  const ends = allAtOnce(trips, (trip) => travelOne(trip, world, go));
  ends.catch(() => undefined); // whoever waits for them gets it
  const after = (all: TripEnd[]): Promise<void> =>
    runHook("after_batch", pool.hooks.afterBatch, { ...about, outcome: outcomeOf(all, world) }, world);
  return { trips, company, ends, after };
}

/** Where nobody can say whether the run is paused, the next nodes fail with that, untouched; the rest is told too. */
const whenWanted = (travel: Travel, world: World, turn?: Turn): Promise<Travel> =>
  world.untilWanted(turn?.lost).then(
    () => travel,
    (thrown: unknown) => async () => {
      throw thrown;
    },
  );

/** Waits for all of them; `travelOne` gives every failure as a result. */
const allAtOnce = <T>(trips: Trip[], work: (trip: Trip) => Promise<T>): Promise<T[]> =>
  new PQueue({ concurrency: Math.max(1, trips.length) }).addAll(trips.map((trip) => () => work(trip)));

/** Nodes that are not as they were before the run. */
const touchedBy = (batch: Trip[], ended: TripEnd[]): Set<string> =>
  new Set([...batch, ...ended.flatMap(({ trip, end }) => (end === "as found" ? [] : trip))].map(nameOf));

async function travelOne(trip: Trip, world: World, travel: Travel): Promise<TripEnd> {
  const started = world.clock.now();
  const { hooks, limits } = trip.pool;
  const about = { nodes: [nameOf(trip)], pool: trip.pool, trip, within: limits.command };
  const { end, failure } = await runHook("before_node", hooks.beforeNode, about, world)
    .then(() => travel(trip, world))
    .then(
      () => ({ end: endOf(trip), failure: undefined }),
      (thrown: unknown) => afterFailure(trip, thrown, world),
    );
  trip.company?.underway.delete(trip); // whoever is back waits no longer for it
  const outcome = outcomeOf([{ trip, end, failure }], world);
  const after = runHook("after_node", hooks.afterNode, { ...about, outcome }, world);
  // It says that the node is not well after all; where that is known already, it changes nothing.
  if (failure === undefined) {
    const found = await after.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    return tellEnd({ trip, end, failure: found }, started, world);
  }
  await tellHook(after, world);
  return tellEnd({ trip, end, failure }, started, world);
}

/** @param isCut nodes were left whose turn did not come */
export const outcomeOf = (
  ended: TripEnd[],
  { afterThisNode, now }: World,
  isCut = ended.some(isStillToCome),
): HookOutcome => {
  if (ended.some((one) => one.failure !== undefined && !isStillToCome(one)))
    return now.aborted ? "interrupted" : "failed";
  if (!isCut) return "done";
  return afterThisNode.aborted ? "interrupted" : "failed";
};

/** A reload meanwhile may have put one back that failed. */
export async function keepOutFailed(ended: TripEnd[], world: World): Promise<void> {
  const failed = ended.filter(({ end, trip: { reached } }) => end === "out" && reached === "changed");
  for (const { trip } of failed) await wayOf(trip).lookAfter(trip, world);
}

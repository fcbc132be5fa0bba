import PQueue from "p-queue";
import { RotaError, messageOf } from "../base/errors.ts";
import type { NodeEnd } from "../events/events.ts";
import { leaveAsFound } from "./back.ts";
import { LeftAlone } from "./leave.ts";
import { rotateNode } from "./node.ts";
import type { Plan, PoolPlan } from "./plan.ts";
import type { Trip, World } from "./world.ts";

/** How one node's trip ended, and why if not well. */
export interface TripEnd {
  trip: Trip;
  end: NodeEnd;
  failure: unknown;
}

export interface RolloutEnd {
  ended: TripEnd[];
  /** Nodes whose turn did not come. */
  notStarted: Trip[];
}

/** Pool after pool, batch after batch; the next only when this one is back. Stops where a node failed too much. */
export async function rollOut(plan: Plan, world: World, travel = rotateNode): Promise<RolloutEnd> {
  const ended: TripEnd[] = [];
  for (const pool of plan.pools) {
    const done = await rollOutPool(pool, world, travel);
    ended.push(...done);
    if (tooManyFailed(pool, done) || mustStop(world)) break;
  }
  const started = new Set(ended.map(({ trip }) => trip));
  const all = plan.pools.flatMap(({ batches }) => batches.flatMap(({ trips }) => trips));
  return { ended, notStarted: all.filter((trip) => !started.has(trip)) };
}

type Travel = (trip: Trip, world: World) => Promise<void>;

async function rollOutPool({ pool, batches }: PoolPlan, world: World, travel: Travel): Promise<TripEnd[]> {
  const ended: TripEnd[] = [];
  for (const [i, { trips }] of batches.entries()) {
    if (mustStop(world) || tooManyFailed({ pool, batches }, ended)) break;
    world.emit({
      type: "batch started",
      pool: pool.name,
      batch: i + 1,
      of: batches.length,
      nodes: trips.map(nameOf),
    });
    // Connections of the next batch are opened while this one is out; a failure shows when its turn comes.
    for (const { node } of batches[i + 1]?.trips ?? []) world.hosts.open(node).catch(() => undefined);
    ended.push(...(await allAtOnce(trips, (trip) => travelOne(trip, world, travel))));
  }
  return ended;
}

/** Waits for all of them; `travelOne` gives every failure as a result. */
const allAtOnce = <T>(trips: Trip[], work: (trip: Trip) => Promise<T>): Promise<T[]> =>
  new PQueue({ concurrency: Math.max(1, trips.length) }).addAll(trips.map((trip) => () => work(trip)));

const mustStop = ({ afterThisNode, now }: World): boolean => afterThisNode.aborted || now.aborted;

const tooManyFailed = ({ pool }: PoolPlan, ended: TripEnd[]): boolean =>
  ended.filter(({ failure }) => failure !== undefined).length > pool.rollout.maxFailures;

const nameOf = ({ node }: Trip): string => node.name;

async function travelOne(trip: Trip, world: World, travel: Travel): Promise<TripEnd> {
  const started = world.clock.now();
  const { end, failure } = await travel(trip, world).then(
    () => ({ end: endOf(trip), failure: undefined }),
    (thrown: unknown) => afterFailure(trip, thrown, world),
  );
  const now = world.clock.now();
  const outMs = trip.outSince === undefined ? 0 : now - trip.outSince;
  const why = failure === undefined ? {} : { why: messageOf(failure) };
  world.emit({ type: "node ended", node: nameOf(trip), end, ms: now - started, outMs, ...why });
  // A journal that can't be written must not hide how the other nodes of the batch ended: it is a failure like others.
  const unwritten = await world.journal
    .nodeEnded(world.run, nameOf(trip), end, why.why)
    .catch((thrown: unknown) => thrown);
  world.hosts.close(trip.node);
  return { trip, end, failure: failure ?? unwritten };
}

const endOf = (trip: Trip): NodeEnd =>
  trip.hold || trip.found.every((place) => place.admin !== "ready") ? "kept out" : "back";

/**
 * Nothing done on the node yet: it goes back as it was found. Otherwise it stays out everywhere, for nobody
 * knows what it would answer. A proven node that only one balancer would not take back is left so.
 */
async function afterFailure(
  trip: Trip,
  thrown: unknown,
  world: World,
): Promise<{ end: NodeEnd; failure: unknown }> {
  if (thrown instanceof LeftAlone) {
    world.emit({
      type: "notice",
      node: nameOf(trip),
      text: `${nameOf(trip)} is left alone: ${thrown.message}`,
    });
    return { end: "as found", failure: undefined };
  }
  switch (trip.reached) {
    case "untouched":
      return { end: "as found", failure: thrown };
    case "drained":
      return { end: await undoDrain(trip, world), failure: thrown };
    case "changed":
      await keepOut(trip, world);
      return { end: "out", failure: thrown };
    case "proven":
      return { end: "out", failure: thrown };
  }
}

async function undoDrain(trip: Trip, world: World): Promise<NodeEnd> {
  if (trip.standing === "ours") return "out";
  try {
    await leaveAsFound(trip, world);
    await world.journal.putBack(world.fleet, nameOf(trip));
    return "as found";
  } catch (thrown) {
    world.emit({
      type: "notice",
      node: nameOf(trip),
      text: `${nameOf(trip)} could not be put back as found: ${messageOf(thrown)}`,
    });
    return "out";
  }
}

/** Into maint on every balancer that can be told: a failed node gets no sticky client either. */
async function keepOut(trip: Trip, world: World): Promise<void> {
  await world.balancers.set(trip.places, "maint").catch((thrown: unknown) => {
    world.emit({
      type: "notice",
      node: nameOf(trip),
      text: `${nameOf(trip)} could not be told everywhere to stay out: ${messageOf(thrown)}`,
    });
  });
}

/** The first failure, told with how everything was left and what to type next. */
export function failureOf({ ended, notStarted }: RolloutEnd, again: string): RotaError | undefined {
  const failed = ended.filter(({ failure }) => failure !== undefined);
  const [first] = failed;
  if (!first) return undefined;
  const cause = first.failure;
  const output = first.trip.lastLines.map((line) => `    ${line}`).join("\n");
  const problem = failed.map(({ trip, failure }) => `${nameOf(trip)}: ${messageOf(failure)}`).join("\n");
  return new RotaError(cause instanceof RotaError ? cause.code : "COMMAND_FAILED", {
    problem: output ? `${problem}\n  the end of its output:\n${output}` : problem,
    left: sayLeft(ended, notStarted),
    next: (cause instanceof RotaError && cause.next ? `${cause.next}; then ` : "") + again,
    cause,
  });
}

/** "web3 is out of rotation; web1, web2 are back; web4 was not touched" */
export function sayLeft(ended: TripEnd[], notStarted: Trip[]): string {
  const names = (end: NodeEnd): string[] =>
    ended.filter((e) => e.end === end).map(({ trip }) => nameOf(trip));
  const parts: [string[], string, string][] = [
    [names("out"), "is out of rotation", "are out of rotation"],
    [names("back"), "is back in rotation", "are back in rotation"],
    [names("kept out"), "is kept out, as wanted", "are kept out, as wanted"],
    [names("as found"), "is as it was found", "are as they were found"],
    [notStarted.map(nameOf), "was not touched", "were not touched"],
  ];
  return parts
    .filter(([who]) => who.length > 0)
    .map(([who, one, many]) => `${who.join(", ")} ${who.length === 1 ? one : many}`)
    .join("; ");
}

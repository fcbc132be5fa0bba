/** A batch leaves while the one before it is watched (`rollout.pipeline`): drained, and not changed before its turn comes. */
import { RotaError } from "../base/errors.ts";
import { notYet, poll, yes } from "../base/poll.ts";
import type { PoolPlan } from "./plan/plan.ts";
import type { Activity } from "./ports.ts";
import { isBusy } from "./quiet.ts";
import type { Travel } from "./rollout.ts";
import type { Company } from "./soak/soak.ts";
import { TurnLost } from "./trip-end.ts";
import { untilAnswered } from "./unanswered.ts";
import type { Way } from "./ways.ts";
import { type Trip, type Turn, type World, nameOf, step, watchedOf } from "./world.ts";

/**
 * Whether the next batch leaves while this one is watched. Not while a canary is: what that shows is for all of them.
 * Nor where a node of the next one is out already, stays in, or is only to be watched: nothing would be won.
 */
export function isOvertaken({ pool, batches }: Pick<PoolPlan, "pool" | "batches">, at: number): boolean {
  const { pipeline, soak } = pool.rollout;
  const next = batches[at + 1];
  if (!pipeline || soak === 0 || !next || batches[at]?.canary) return false;
  return next.trips.every(
    ({ standing, stays, done }) => standing === "serving" && !stays && !done.has("ready"),
  );
}

/** The next batch, on its way ahead of its turn. */
export interface Ahead<Begun> {
  /** Undefined where it did not begin: the batch before was not watched as a whole, or the run does not go on. */
  begun: Promise<Begun | undefined>;
  turn: Turn;
  /** It may be changed now. */
  comes: () => void;
  /** It is put back as found. */
  lose: (why: string) => void;
}

/**
 * Begins once the whole batch before is back and watched: where a node of it failed, nobody leaves meanwhile.
 *
 * @param over tells that the batch before has ended
 */
export function leaveAhead<Begun>(
  trips: Trip[],
  company: Company,
  over: Promise<unknown>,
  { clock }: World,
  begin: (turn: Turn) => Promise<Begun | undefined>,
): Ahead<Begun> {
  const lost = new AbortController();
  const turn: Turn = { after: `the soak of ${trips.map(nameOf).join(", ")}`, came: false, lost: lost.signal };
  let ended = false;
  const end = (): void => void (ended = true);
  void over.then(end, end);
  const begun = poll({
    what: `${turn.after} to begin`,
    every: 25,
    within: Infinity, // the nodes have limits of their own
    clock,
    signal: new AbortController().signal,
    probe: async () => {
      if (ended) return yes(false);
      return company.verdicts ? yes(company.back.length === trips.length) : notYet("not all are back");
    },
  }).then((isWatched) => (isWatched ? begin(turn) : undefined));
  begun.catch(() => undefined); // what is thrown, whoever waits for it gets
  return { begun, turn, comes: () => void (turn.came = true), lose: (why) => lost.abort(why) };
}

/** Before its turn an interruption is no failure: nothing was changed, and the node is put back as found. */
export const aheadOfTurn =
  (travel: Travel, turn: Turn): Travel =>
  async (trip, world) => {
    trip.turn = turn;
    try {
      await travel(trip, { ...world, now: AbortSignal.any([world.now, turn.lost]) });
    } catch (thrown) {
      if (turn.came || !(thrown instanceof RotaError && thrown.code === "INTERRUPTED")) throw thrown;
      throw new TurnLost(turn.lost.aborted ? String(turn.lost.reason) : "the run was stopped");
    }
  };

/** Before anything is done that can't be taken back. At once where the node is not ahead. */
export async function untilTurn(trip: Trip, { clock, now, emit }: World): Promise<void> {
  const { turn } = trip;
  if (!turn || turn.came) return;
  await poll({
    what: `${turn.after} to end well`,
    every: 25,
    within: Infinity, // a soak ends
    clock,
    signal: now,
    probe: async () => (turn.came ? yes(undefined) : notYet(`waiting for ${turn.after}`)),
    onSaw: (saw) => emit({ type: "waiting", node: nameOf(trip), step: "settle", saw }),
  });
}

/** Before the first change. What was quiet when it began to wait is settled anew where it is not quiet any more. */
export async function inTurn(trip: Trip, world: World, way: Way): Promise<void> {
  if (!trip.turn || trip.turn.came) return;
  const look = (): Promise<Activity[]> =>
    untilAnswered(trip, world, () => world.balancers.watch(watchedOf(trip)));
  const before = await look();
  await untilTurn(trip, world);
  const seen = await look();
  const sameWorkers = seen.every(({ process }, i) => process === before[i]?.process);
  const isQuiet = seen.every(
    (at, i) => at.total === before[i]?.total && at.retried === before[i].retried && !isBusy(at),
  );
  // Also where nothing has come yet: somebody may have put it back meanwhile.
  const isOutStill = seen.every(({ out }, i) => out === before[i]?.out);
  // Sessions that were given up are waited for no more; those that a reload let come since were not.
  if (sameWorkers && isOutStill && (isQuiet || trip.gaveUp !== undefined)) return;
  await step(trip, "settle", world, () => way.untilQuiet(trip, world));
}

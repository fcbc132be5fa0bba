/** The wait for a node's sessions to end, and what is told meanwhile. */
import { sayDuration } from "../base/duration.ts";
import { type Seen, poll } from "../base/poll.ts";
import { atLimit } from "./at-limit.ts";
import type { OldWorkers } from "./ports.ts";
import { type Look, quietFor } from "./quiet.ts";
import { bounds } from "./sticky.ts";
import { whileUnanswered } from "./unanswered.ts";
import { type Trip, type World, watchedOf } from "./world.ts";

/** Waits until no balancer has a session, a queue or a new request for the node, for a whole window. */
export async function untilQuiet(trip: Trip, world: World): Promise<void> {
  const { balancers, clock, now } = world;
  const quiet = quietFor(clock, trip.seenBefore);
  const sayUnseen = sayingUnseen(trip, world);
  const tell = tellingWait(trip, world);
  const bound = bounds(trip, world);
  const watched = watchedOf(trip);
  let last: Look | undefined;
  await poll({
    what: `the sessions of ${trip.node.name} to end`,
    every: 25,
    within: trip.pool.drain.within,
    clock,
    signal: now,
    probe: async () =>
      tell(
        await whileUnanswered(async () => {
          last = undefined;
          const asked = clock.now();
          const seen = await balancers.watch(watched);
          if (seen.some((at) => !at.out)) await bound.tellAgain(seen);
          await bound.turnAway(seen);
          const { active: old, unseen } = await balancers.oldWorkers(watched);
          sayUnseen(unseen);
          if (seen.every((at) => at.out)) last = { seen, old };
          return quiet(seen, old, asked);
        }),
      ),
  }).catch((thrown: unknown) => atLimit(trip, world, thrown, last));
}

/** How long a wait has lasted is said at these: more often would drown a log. */
const marks = [5, 10, 20, 30, 60, 120, 180, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400];

/** Tells what is waited for when that changes, and every now and then for how long already. */
export function tellingWait({ node, pool }: Trip, { clock, emit }: World): <T>(verdict: Seen<T>) => Seen<T> {
  const began = clock.now();
  let told = "";
  return (verdict) => {
    const seconds = marks.findLast((mark) => clock.now() - began >= mark * 1_000);
    const long =
      seconds === undefined
        ? ""
        : `, for ${sayDuration(seconds * 1_000)} of ${sayDuration(pool.drain.within)}`;
    const saw = verdict.done ? told : `${verdict.saw}${long}`;
    if (saw !== told) emit({ type: "waiting", node: node.name, step: "settle", saw });
    told = saw;
    return verdict;
  };
}

/** Once a balancer: that a reload, not longer ago than sessions may take to end, left some that nobody can see. */
export function sayingUnseen({ node, pool }: Trip, { emit }: World): (unseen: OldWorkers["unseen"]) => void {
  const told = new Set<string>();
  return (unseen) => {
    for (const { balancer, age, next } of unseen) {
      if (age >= pool.drain.within || told.has(balancer)) continue;
      told.add(balancer);
      const text = `${balancer} was reloaded or started ${sayDuration(Math.max(1_000, age))} ago: what an old worker still has open to ${node.name} can't be seen. It can with its master's socket (haproxy -S) in the inventory: ${next}`;
      emit({ type: "notice", node: node.name, text });
    }
  };
}

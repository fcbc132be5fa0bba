/** What is waited for at the balancers while a node leaves or returns by its page; computed where none can be asked. */
import { RotaError } from "../base/errors.ts";
import { sayDuration } from "../base/duration.ts";
import { notYet, poll, yes } from "../base/poll.ts";
import type { StepName } from "../events/events.ts";
import type { StatusPage } from "../inventory/fleet.ts";
import { atLimit } from "./at-limit.ts";
import { atLeast, worstBack, worstOut } from "./page-times.ts";
import { samePlace } from "./place.ts";
import type { Activity } from "./ports.ts";
import { type Look, quietFor } from "./quiet.ts";
import { sayingUnseen, tellingWait } from "./settle.ts";
import { whileUnanswered } from "./unanswered.ts";
import { type Trip, type World, nameOf, watchedOf } from "./world.ts";

/** Nothing is balanced to it: its checks fail, or somebody took it out besides. */
const isOut = ({ status }: Activity): boolean => /^(NOLB|DOWN|DRAIN|MAINT)/.test(status);

/** Every balancer has noticed that the page refuses. */
export async function untilSeenOut(
  trip: Trip,
  page: StatusPage,
  world: World,
  step: StepName = "settle",
): Promise<void> {
  const what = `every balancer to see ${nameOf(trip)} out`;
  if (trip.places.length === 0) return passTime(trip, world, { what, step, ms: worstOut(page) ?? 0 });
  await untilSeen(trip, world, {
    what,
    step,
    within: atLeast(trip.pool.drain.within, worstOut(page)),
    lacks: (seen) => seen.filter((at) => !isOut(at)),
    next: "see that HAProxy's check asks for the page that status_page.out changes; its inter and fall say how long it takes (drain.within)",
  });
}

/** No request runs on it, and none comes. */
export async function untilSilent(trip: Trip, page: StatusPage, world: World): Promise<void> {
  const what = `the requests of ${nameOf(trip)} to end`;
  if (trip.places.length === 0) return passTime(trip, world, { what, step: "settle", ms: page.linger });
  const quiet = quietFor(world.clock, trip.seenBefore);
  const sayUnseen = sayingUnseen(trip, world);
  const tell = tellingWait(trip, world);
  const watched = watchedOf(trip);
  let last: Look | undefined;
  await poll({
    what,
    every: 50,
    within: trip.pool.drain.within,
    clock: world.clock,
    signal: world.now,
    probe: async () =>
      tell(
        await whileUnanswered(async () => {
          last = undefined;
          const asked = world.clock.now();
          const seen = await world.balancers.watch(watched);
          const { active: old, unseen } = await world.balancers.oldWorkers(watched);
          sayUnseen(unseen);
          const served = seen.filter((at) => !isOut(at));
          const verdict = quiet(
            seen.map((at) => ({ ...at, out: isOut(at) })),
            old,
            asked,
          );
          if (served.length > 0) return notYet(served.map(sayStatus).join(", "));
          last = { seen, old };
          return verdict;
        }),
      ),
  }).catch((thrown: unknown) => atLimit(trip, world, thrown, last, stickyAdvice));
}

const stickyAdvice =
  "with disable-on-404 sticky clients still reach a node that is NOLB, without it they don't";

/** Every balancer has noticed that the page is well again. */
export async function untilSeenBack(trip: Trip, page: StatusPage, world: World): Promise<void> {
  const what = `every balancer to see ${nameOf(trip)} up`;
  if (trip.places.length === 0)
    return passTime(trip, world, { what, step: "ready", ms: worstBack(page) ?? 0 });
  // Where somebody else keeps it out, that is theirs.
  const ours = (at: Activity): boolean =>
    !/^(DRAIN|MAINT)/.test(at.status) &&
    (trip.found.find((place) => samePlace(place, at))?.admin ?? "ready") === "ready";
  await untilSeen(trip, world, {
    what,
    step: "ready",
    within: atLeast(trip.pool.limits.ready, worstBack(page)),
    lacks: (seen) => seen.filter((at) => ours(at) && !/^(UP|no check)/.test(at.status)),
    next: "see the page as HAProxy asks for it: its check may use another path, host or port than check.url",
  });
}

interface Wait {
  what: string;
  step: StepName;
}

async function untilSeen(
  trip: Trip,
  { balancers, clock, now, emit }: World,
  {
    what,
    step,
    within,
    lacks,
    next,
  }: Wait & { within: number; lacks: (seen: Activity[]) => Activity[]; next: string },
): Promise<void> {
  await poll({
    what,
    every: 100,
    within,
    clock,
    signal: now,
    probe: () =>
      whileUnanswered(async () => {
        const left = lacks(await balancers.watch(trip.places));
        return left.length === 0 ? yes(undefined) : notYet(left.map(sayStatus).join(", "));
      }),
    onSaw: (saw) => emit({ type: "waiting", node: nameOf(trip), step, saw }),
  }).catch(advising(next));
}

/** Where nobody can be asked, time itself is waited for. */
async function passTime(
  trip: Trip,
  { clock, now, emit }: World,
  { what, step, ms }: Wait & { ms: number },
): Promise<void> {
  const began = clock.now();
  await poll({
    what,
    every: 250,
    within: Infinity,
    clock,
    signal: now,
    probe: async () =>
      clock.now() - began >= ms
        ? yes(undefined)
        : notYet(`${what}: no balancer can be asked, so ${sayDuration(ms)} are waited, as status_page says`),
    onSaw: (saw) => emit({ type: "waiting", node: nameOf(trip), step, saw }),
  });
}

/** "lb1/app: web1 UP 1/2" */
const sayStatus = ({ balancer, backend, server, status }: Activity): string =>
  `${balancer}/${backend}: ${server} ${status}`;

const advising =
  (next: string) =>
  (thrown: unknown): never => {
    if (!(thrown instanceof RotaError && thrown.code === "WAIT_LIMIT")) throw thrown;
    throw new RotaError("WAIT_LIMIT", { problem: thrown.message, next, cause: thrown });
  };

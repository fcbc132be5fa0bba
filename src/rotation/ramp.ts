/** Back into rotation in steps: at first with a part of the weight that the node was found with, at the end with all. */
import { RotaError } from "../base/errors.ts";
import { notYet, poll, yes } from "../base/poll.ts";
import type { Ramp } from "../inventory/fleet.ts";
import { goneOf, recordAbsence } from "./leave.ts";
import { samePlace, sayPlace } from "./place.ts";
import type { Entry, Place } from "./ports.ts";
import type { Found } from "./records.ts";
import { untilAnswered, whileUnanswered } from "./unanswered.ts";
import { type Trip, type World, nameOf } from "./world.ts";

/** Milliseconds between two looks at a node that has a part of its weight. */
const lookEvery = 250;

type Weighed = Found & { weight: number };

/**
 * Lets a proven node in by `enter`, first with little of its weight where the pool has a ramp. It is watched between
 * the steps, and is out again where HAProxy finds it down. Stopped in the middle it gets all at once: it is proven.
 *
 * @param back places that it left, and comes back to
 */
export async function inSteps(
  trip: Trip,
  back: Entry[],
  world: World,
  enter: () => Promise<void>,
): Promise<void> {
  const { ramp } = trip.pool.ready;
  const isOurs = (entry: Entry): boolean =>
    !isTheirs(entry) || trip.found.some((place) => place.stepped && samePlace(place, entry));
  const wanted = trip.found.filter((place) => place.admin === "ready" && isIn(back.filter(isOurs), place));
  if (!ramp || trip.standing === "held" || wanted.length === 0) {
    await wholeWeight(trip, world);
    return enter();
  }
  await record(trip, world, wanted);
  const [first] = stepsOf(ramp, wanted);
  const fixed = first ? await tell(trip, world, first.places) : [];
  sayWithout(trip, world, wanted, fixed);
  await enter();
  try {
    const climbing = wanted.filter((place) => !isIn(fixed, place));
    for (const step of stepsOf(ramp, climbing)) await stand(step, ramp.every, trip, world);
  } catch (thrown) {
    const stopped = thrown instanceof RotaError && thrown.code === "INTERRUPTED" && world.now.aborted;
    if (stopped) return wholeWeight(trip, world);
    // First out, then the weights: a node that failed must not get more. What fails here is told by what follows.
    if (trip.reached === "changed") await world.balancers.set(trip.places, "maint").catch(() => undefined);
    await wholeWeight(trip, world)
      .then(() => forget(trip, world))
      .catch(() => undefined);
    throw thrown;
  }
  await wholeWeight(trip, world);
}

/** Whatever a ramp of this run, or of one that was cut off, has made of it. */
export async function wholeWeight(trip: Trip, world: World): Promise<void> {
  await tell(
    trip,
    world,
    trip.found.filter(({ stepped }) => stepped),
  );
}

/** Before the first step: whoever goes on after a crash must know whose weight that is. */
async function record(trip: Trip, world: World, climbing: Found[]): Promise<void> {
  const stepped = (place: Found): Found => (isIn(climbing, place) ? { ...place, stepped: true } : place);
  trip.found = trip.found.map(stepped);
  await write(trip, world);
}

/** The weights are as they were, and the node is not proven. */
async function forget(trip: Trip, world: World): Promise<void> {
  trip.found = trip.found.map((place) => ({ ...place, stepped: undefined }));
  await write(trip, world);
}

async function write(trip: Trip, world: World): Promise<void> {
  if (trip.absence?.kind !== "hold") return recordAbsence(trip, world);
  // Its owner's until it is back.
  const found = [...trip.found, ...goneOf(trip)];
  await world.journal.takenOut(world.fleet, { ...trip.absence, found });
}

interface Step {
  percent: number;
  places: Weighed[];
}

/** Steps at which something is less than at the end, and more than at the step before. */
export function stepsOf({ percents }: Ramp, found: Found[]): Step[] {
  let before = "";
  return percents.flatMap((percent) => {
    const places = found.map((place) => ({ ...place, weight: partOf(place.weight, percent) }));
    const weights = places.map(({ weight }) => weight).join(" ");
    const isNew = weights !== before && places.some(({ weight }, i) => weight < (found[i]?.weight ?? 0));
    before = weights;
    return isNew ? [{ percent, places }] : [];
  });
}

/** Rounded down, but something. 0.07 * 100 is 7.000000000000001. */
const partOf = (weight: number, percent: number): number =>
  Math.min(weight, Math.max(1, Math.floor(Number(((weight * percent) / 100).toPrecision(12)))));

/** Sets the weights of a step, and watches until it is over. @throws RotaError NODE_DOWN */
async function stand({ percent, places }: Step, every: number, trip: Trip, world: World): Promise<void> {
  const { clock, now, emit } = world;
  await tell(trip, world, places);
  const until = clock.now() + every;
  await poll({
    what: `${nameOf(trip)} to bear ${percent}% of its weight`,
    every: lookEvery,
    within: Infinity, // its end is `until`
    clock,
    signal: now,
    probe: () =>
      whileUnanswered(async () => {
        await lookAt(places, trip, world);
        return clock.now() >= until ? yes(undefined) : notYet(`${percent}% of its weight, watched`);
      }).then((seen) => (clock.now() >= until ? yes(undefined) : seen)),
    onSaw: (saw) => emit({ type: "waiting", node: nameOf(trip), step: "ready", saw }),
  });
}

async function lookAt(places: Weighed[], trip: Trip, world: World): Promise<void> {
  const seen = await world.balancers.look(places);
  const down = seen.filter((entry) => entry.outBecause === "health");
  if (down.length > 0) {
    trip.reached = "changed"; // it is not proven any more
    const what = down.map((entry) => `${sayPlace(entry)} is ${entry.status} (${entry.lastCheck})`).join(", ");
    throw new RotaError("NODE_DOWN", { problem: `${nameOf(trip)} came back in steps, and failed: ${what}` });
  }
  const theirs = seen.filter(isTheirs);
  const other = seen.filter((entry, i) => entry.weight !== places[i]?.weight && !isTheirs(entry));
  for (const entry of theirs) yieldTo(entry, trip, world);
  if (other.length === 0) return;
  const text = `${other.map((entry) => `${sayPlace(entry)} has weight ${entry.weight}`).join(", ")}, which is not rota's: reloaded, or somebody changed it; told again`;
  world.emit({ type: "notice", node: nameOf(trip), text });
  await world.balancers.weigh(places.filter((place) => other.some((entry) => samePlace(entry, place))));
}

/** Somebody wants no traffic there. A reload gives the weight that the configuration has. */
const isTheirs = ({ weight, initialWeight }: Entry): boolean => weight === 0 && initialWeight > 0;

/** Left as somebody has it, now and at the end. */
function yieldTo(entry: Entry, trip: Trip, { emit }: World): void {
  const known = trip.found.find((place) => samePlace(place, entry));
  if (!known?.stepped) return;
  trip.found = trip.found.map((place) => (place === known ? { ...place, stepped: undefined } : place));
  emit({
    type: "notice",
    node: nameOf(trip),
    text: `${sayPlace(entry)}: somebody gave it weight 0; left so`,
  });
}

/** @returns places where HAProxy takes no weights */
async function tell(trip: Trip, world: World, places: Weighed[]): Promise<Place[]> {
  const ours = places.filter((place) => trip.found.some((one) => one.stepped && samePlace(one, place)));
  return ours.length === 0 ? [] : untilAnswered(trip, world, () => world.balancers.weigh(ours));
}

const isIn = (all: Place[], place: Place): boolean => all.some((one) => samePlace(one, place));

/** Said where a ramp is wanted and there is none. */
function sayWithout(trip: Trip, { emit }: World, wanted: Found[], fixed: Place[]): void {
  const say = (places: Place[], why: string): void => {
    if (places.length === 0) return;
    const text = `${places.map(sayPlace).join(", ")}: back in one step: ${why}`;
    emit({ type: "notice", node: nameOf(trip), text });
  };
  say(fixed, "its balance algorithm is static, and takes no weights");
  const least = wanted.filter((place) => place.weight === 1 && !isIn(fixed, place));
  say(least, "its weight is 1, of which there is no part; write weight 100 for its servers in HAProxy");
}

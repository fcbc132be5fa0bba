import type { Entry } from "./ports.ts";
import type { Found } from "./records.ts";
import { whenSpared } from "./capacity-guard.ts";
import { countBefore } from "./soak/soak.ts";
import { lookBefore } from "./restart.ts";
import { stillGone } from "./plan/tolerance.ts";
import { untilAnswered } from "./unanswered.ts";
import type { Way } from "./ways.ts";
import { type Trip, type World, isHeld } from "./world.ts";

/** Somebody took the node out since the plan was made: it is theirs, and is left as it is. */
export class LeftAlone extends Error {
  override readonly name = "LeftAlone";
}

/** Looks again, just before: what was true when the plan was made may not be any more. */
export async function survey(trip: Trip, world: World, way: Way): Promise<void> {
  const { hosts } = world;
  await Promise.all([
    lookAgain(trip, world),
    trip.hostNeeded ? hosts.open(trip.node) : undefined,
    stillGone(world.gone, world.balancers),
  ]);
  await way.survey(trip, world);
  await untilAnswered(trip, world, () => countBefore(trip, world));
  if (trip.hostNeeded) await lookBefore(trip, world);
}

/** @throws LeftAlone */
async function lookAgain(trip: Trip, world: World): Promise<void> {
  const entries = await untilAnswered(trip, world, () => world.balancers.look(trip.places));
  const theirs = entries.find((entry) => entry.outBecause === "person");
  if (theirs && (trip.standing === "serving" || trip.standing === "down")) {
    throw new LeftAlone(
      `${theirs.balancer}/${theirs.backend} shows ${theirs.status} since: somebody took it out`,
    );
  }
  // What our own run left out is to be as that run found it, not as it left it.
  if (trip.standing !== "ours") trip.found = entries.map((entry) => foundOf(trip, entry));
  trip.entries = entries;
}

/** A held node that serves all the same, as after a reload, is to be out, and its agent unasked: its owner said so. */
function foundOf(trip: Trip, entry: Entry): Found {
  const { agent, ...found } = asFound(entry);
  if (!isHeld(trip)) return { ...found, ...(agent ? { agent } : {}) };
  return { ...found, admin: entry.outBecause === "person" ? entry.admin : "drain" };
}

export const asFound = ({ balancer, backend, server, admin, weight, agent }: Entry): Found => ({
  balancer,
  backend,
  server,
  admin,
  weight,
  ...(agent ? { agent } : {}),
});

/** Out of rotation everywhere at once, and only if enough of the others serve. */
export async function leave(trip: Trip, world: World, way: Way): Promise<void> {
  await whenSpared(trip, world, async () => {
    await lookAgain(trip, world); // that may have been a long wait
    await recordAbsence(trip, world);
    trip.reached = "drained";
    trip.outSince = world.clock.now();
    await way.tell(trip, world);
  });
}

/** Places of balancers that are no longer in the inventory, or that this run does without: there the node is still as our run left it. */
export const goneOf = ({ absence, pool }: Trip): Found[] =>
  absence?.found.filter(({ balancer }) => !pool.balancers.includes(balancer)) ?? [];

/** The journal knows of it before any balancer does. A hold of somebody else stays theirs. */
export async function recordAbsence(trip: Trip, world: World): Promise<void> {
  const { journal, fleet, run, by, reason, clock } = world;
  const { node, found, absence, hold } = trip;
  if (absence?.kind === "hold" && !(hold && absence.by === by)) return;
  // Told again with nothing new to say: the journal knows it better.
  if (absence && hold && reason === undefined && !hold.until) return;
  const kind = hold ? "hold" : "run";
  const why = reason ?? (hold && absence?.reason);
  const { until } = hold ?? { until: undefined };
  await journal.takenOut(fleet, {
    node: node.name,
    kind,
    run,
    by,
    reason: why,
    since: clock.today(),
    until,
    found: [...found, ...goneOf(trip)],
  });
}

import { RotaError } from "../base/errors.ts";
import { notYet, poll, yes } from "../base/poll.ts";
import type { Share } from "../inventory/fleet.ts";
import { type Knowing, lackOf, leavingOf, sayBackend } from "./plan/capacity.ts";
import type { Backend, Entry } from "./ports.ts";
import type { Found } from "./records.ts";
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
  await world.leaving.add(async () => {
    await untilSpared(trip, world);
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

/** Waits until every backend can spare this node. */
async function untilSpared(trip: Trip, world: World): Promise<void> {
  const { clock, afterThisNode, now, force, emit } = world;
  const serving = trip.entries.filter((entry) => entry.outBecause === undefined);
  if (serving.length === 0 || force) return;
  const what = `capacity to take ${trip.node.name} out`;
  await poll({
    what,
    every: 250,
    within: trip.pool.limits.capacity,
    clock,
    signal: now,
    probe: async () => {
      const lacks = await untilAnswered(trip, world, () => lacksNow(trip, serving, world));
      if (lacks.length === 0) return yes(undefined);
      // Not in hand yet: nothing was done with it.
      if (afterThisNode.aborted)
        throw new RotaError("INTERRUPTED", { problem: `stopped while waiting for ${what}` });
      return notYet(lacks.join("; "));
    },
    onSaw: (saw) => {
      const text = `${saw}; goes on by itself once it can be spared`;
      emit({ type: "waiting", node: trip.node.name, step: "drain", saw: text });
    },
  }).catch((thrown: unknown) => {
    if (!(thrown instanceof RotaError && thrown.code === "WAIT_LIMIT")) throw thrown;
    throw new RotaError("CAPACITY", { problem: thrown.message, cause: thrown });
  });
}

/** Whose lack it is, if any: counted afresh, with the servers that track this node's and leave with them. */
export async function lacksNow(
  trip: Trip,
  serving: Entry[],
  { balancers, absences, run }: World,
): Promise<string[]> {
  const seen = await balancers.look([...serving, ...trip.followers]);
  const leavers = seen.filter((entry) => entry.outBecause === undefined);
  const backends = await balancers.capacity(leavers);
  const lacks = (knowing: Knowing): string[] =>
    backends.flatMap((backend) => lackIn(backend, leavers, trip.pool.rollout.minServing, knowing) ?? []);
  const found = lacks({ absences: new Map(), run });
  return found.length === 0 ? found : lacks({ absences: await absences(), run });
}

function lackIn(backend: Backend, leavers: Entry[], minServing: Share, knowing: Knowing): string | undefined {
  const mine = leavers.filter((entry) => sayBackend(entry) === sayBackend(backend));
  const backups = mine.filter((entry) => entry.backup);
  const others = mine.filter((entry) => !entry.backup);
  // A backup serves where nobody else does: the last one is missed then.
  if (others.length === 0 && backend.serving === 0 && backend.backups <= backups.length)
    return `${sayBackend(backend)}: only the backup ${backups.map(({ server }) => server).join(", ")} serves`;
  return lackOf(backend, minServing, leavingOf(others), knowing);
}

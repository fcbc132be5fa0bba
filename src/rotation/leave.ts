import { RotaError } from "../base/errors.ts";
import { notYet, poll, yes } from "../base/poll.ts";
import { shareOf } from "../inventory/fleet.ts";
import { currentProcess } from "./process.ts";
import type { Backend, Entry, Found } from "./ports.ts";
import { type Trip, type World, isHeld } from "./world.ts";

/** Somebody took the node out since the plan was made: it is theirs, and is left as it is. */
export class LeftAlone extends Error {
  override readonly name = "LeftAlone";
}

/** Looks again, just before: what was true when the plan was made may not be any more. */
export async function survey(trip: Trip, { balancers, hosts, now }: World): Promise<void> {
  const [entries] = await Promise.all([
    balancers.look(trip.places),
    trip.hostNeeded ? hosts.open(trip.node) : undefined,
  ]);
  const theirs = entries.find((entry) => entry.outBecause === "person");
  if (theirs && (trip.standing === "serving" || trip.standing === "down")) {
    throw new LeftAlone(
      `${theirs.balancer}/${theirs.backend} shows ${theirs.status} since: somebody took it out`,
    );
  }
  // What our own run left out is to be as that run found it, not as it left it.
  if (trip.standing !== "ours") trip.found = entries.map(asFound);
  trip.entries = entries;
  if (trip.pool.restart.pidfile !== undefined && trip.hostNeeded)
    trip.process = await currentProcess(trip, hosts, now);
}

export const asFound = ({ balancer, backend, server, admin, weight }: Entry): Found => ({
  balancer,
  backend,
  server,
  admin,
  weight,
});

/** Drained on every balancer at once, and only if enough of the others serve. */
export async function leave(trip: Trip, world: World): Promise<void> {
  await world.leaving.add(async () => {
    await untilSpared(trip, world);
    await recordAbsence(trip, world);
    trip.reached = "drained";
    trip.outSince = world.clock.now();
    // Told on every balancer before any waiting: a late one keeps sending requests.
    const inRotation = trip.entries.filter((entry) => entry.admin === "ready");
    await world.balancers.set(inRotation, "drain");
  });
}

/** The journal knows of it before any balancer does. A hold of somebody else stays theirs. */
async function recordAbsence(trip: Trip, { journal, fleet, run, by, reason, clock }: World): Promise<void> {
  const { node, found, absence, hold } = trip;
  if (absence?.kind === "hold" && (isHeld(trip) || absence.by !== by)) return;
  const kind = hold ? "hold" : "run";
  const since = clock.today();
  await journal.takenOut(fleet, { node: node.name, kind, run, by, reason, since, until: hold?.until, found });
}

/** Waits until every backend can spare this node. */
async function untilSpared(trip: Trip, { balancers, clock, now, force, emit }: World): Promise<void> {
  const serving = trip.entries.filter((entry) => entry.outBecause === undefined && !entry.backup);
  if (serving.length === 0) return;
  const { minServing } = trip.pool.rollout;
  const lacking = async (): Promise<string[]> => {
    const backends = await balancers.capacity(serving);
    return backends
      .filter((b) => b.serving - 1 < shareOf(minServing, b.servers, "up"))
      .map((b) => sayLack(b, shareOf(minServing, b.servers, "up")));
  };
  if (force) return;
  await poll({
    what: `capacity to take ${trip.node.name} out`,
    every: 250,
    within: trip.pool.limits.capacity,
    clock,
    signal: now,
    probe: async () => {
      const lacks = await lacking();
      return lacks.length === 0 ? yes(undefined) : notYet(lacks.join("; "));
    },
    onSaw: (saw) => emit({ type: "waiting", node: trip.node.name, step: "drain", saw }),
  }).catch((thrown: unknown) => {
    if (!(thrown instanceof RotaError && thrown.code === "WAIT_LIMIT")) throw thrown;
    throw new RotaError("CAPACITY", { problem: thrown.message, cause: thrown });
  });
}

/** "lb1/app: 2 of 4 serve, 2 must stay (out: web3 DOWN, web4 MAINT)" */
export const sayLack = ({ balancer, backend, serving, servers, absent }: Backend, least: number): string =>
  `${balancer}/${backend}: ${serving} of ${servers} serve, ${least} must stay${absent.length ? ` (out: ${absent.join(", ")})` : ""}`;

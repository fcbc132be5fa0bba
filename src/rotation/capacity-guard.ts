/** Who may leave: only whom every backend can spare, with all who have leave already counted as gone. */
import { RotaError } from "../base/errors.ts";
import { jointly } from "../base/jointly.ts";
import { notYet, poll, yes } from "../base/poll.ts";
import type { Share } from "../inventory/fleet.ts";
import { type Knowing, lackOf, leavingOf, sayBackend } from "./plan/capacity.ts";
import { sayPlace } from "./place.ts";
import type { Backend, Entry } from "./ports.ts";
import { untilAnswered } from "./unanswered.ts";
import type { Trip, World } from "./world.ts";

/** Judges all who ask at the same time by one look. Two must not count on the same spare. */
export interface CapacityGuard {
  /**
   * @param entries where it serves, and servers that track these and leave with them
   * @returns what lacks; nothing gives leave, which is held until `left`
   */
  lacks(trip: Trip, entries: Entry[], world: World): Promise<string[]>;
  /** It is out, and the balancers show it; or it stays after all. */
  left(trip: Trip): void;
}

interface Asked {
  trip: Trip;
  entries: Entry[];
  world: World;
}

interface Seen {
  backends: Backend[];
  /** Who had leave when that was asked. */
  before: ReadonlyMap<Trip, Entry[]>;
}

export function capacityGuard(): CapacityGuard {
  /** Who has leave. */
  const leaving = new Map<Trip, Entry[]>();

  function judge({ trip, entries }: Asked, { backends, before }: Seen, knowing: Knowing): string[] {
    const mine = stillServing(entries, backends);
    const others = stillServing([...new Map([...before, ...leaving]).values()].flat(), backends);
    const lacks = backends.flatMap(
      (backend) => lackIn(backend, mine, others, trip.pool.rollout.minServing, knowing) ?? [],
    );
    if (lacks.length === 0) leaving.set(trip, entries);
    return lacks;
  }

  async function judgeAll(asked: Asked[]): Promise<string[][]> {
    const [first] = asked;
    if (!first) return [];
    const { balancers, absences, run } = first.world;
    const before = new Map(leaving); // who is out by the time of the answer may have left after it was given
    const seen = { before, backends: await balancers.capacity(asked.flatMap(({ entries }) => entries)) };
    const found = asked.map((one) => judge(one, seen, { absences: new Map(), run }));
    if (found.every((lacks) => lacks.length === 0)) return found;
    const knowing = { absences: await absences(), run };
    return asked.map((one) => (leaving.has(one.trip) ? [] : judge(one, seen, knowing)));
  }

  const askAll = jointly(judgeAll, {
    isEverybodys: (thrown) => thrown instanceof RotaError && thrown.code === "BALANCER_UNREACHABLE",
  });
  return {
    lacks: async (trip, entries, world) => (await askAll([{ trip, entries, world }])).flat(),
    left: (trip) => leaving.delete(trip),
  };
}

/** Waits until every backend can spare this node, and holds its leave while it goes. */
export async function whenSpared(trip: Trip, world: World, go: () => Promise<void>): Promise<void> {
  try {
    await untilSpared(trip, world);
    await go();
  } finally {
    world.guard.left(trip);
  }
}

async function untilSpared(trip: Trip, world: World): Promise<void> {
  const { clock, afterThisNode, now, force, emit, guard } = world;
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
      const lacks = await untilAnswered(trip, world, () =>
        guard.lacks(trip, [...serving, ...trip.followers], world),
      );
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

/** By the backends as they are now, which don't name backups: who is out already is not counted twice; who is back since is. */
function stillServing(entries: Entry[], backends: Backend[]): Entry[] {
  const absent = new Set(backends.flatMap((backend) => backend.absent.map(sayPlace)));
  return entries.filter((entry) =>
    entry.backup ? entry.outBecause === undefined : !absent.has(sayPlace(entry)),
  );
}

function lackIn(
  backend: Backend,
  mine: Entry[],
  others: Entry[],
  minServing: Share,
  knowing: Knowing,
): string | undefined {
  const here = (entries: Entry[], backup: boolean): Entry[] =>
    entries.filter((entry) => sayBackend(entry) === sayBackend(backend) && entry.backup === backup);
  const servers = here(mine, false);
  const backups = here(mine, true);
  if (servers.length + backups.length === 0) return undefined;
  const gone = here(others, false);
  // A backup serves where nobody else does: the last one is missed then.
  if (
    servers.length === 0 &&
    backend.serving <= gone.length &&
    backend.backups <= backups.length + here(others, true).length
  )
    return `${sayBackend(backend)}: only the backup ${backups.map(({ server }) => server).join(", ")} serves`;
  return lackOf(backend, minServing, leavingOf(servers), knowing, leavingOf(gone));
}

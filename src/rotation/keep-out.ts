import { RotaError, messageOf } from "../base/errors.ts";
import { notYet, poll } from "../base/poll.ts";
import { sayPlace } from "./place.ts";
import { type Trip, type World, nameOf } from "./world.ts";

/**
 * Looks again and again while something is done on a node that is out of reach: a balancer that is reloaded
 * forgets that, and is told at once, not only before the next step.
 */
export async function whileOutOfReach<T>(trip: Trip, world: World, work: () => Promise<T>): Promise<T> {
  if (trip.reached !== "changed") return work();
  const over = new AbortController();
  const watching = keepOut(trip, world, over.signal);
  try {
    return await work();
  } finally {
    over.abort();
    await watching;
  }
}

async function keepOut(trip: Trip, { balancers, clock, emit }: World, over: AbortSignal): Promise<void> {
  const node = nameOf(trip);
  const look = async (): Promise<void> => {
    const forgotten = (await balancers.watch(trip.places)).filter((at) => !at.out);
    if (forgotten.length === 0) return;
    const text = `${forgotten.map(sayPlace).join(", ")} no longer has ${node} out; told again`;
    emit({ type: "notice", node, text });
    await balancers.set(forgotten, "maint");
  };
  await poll({
    what: `the end of the work on ${node}`,
    every: 100,
    within: Infinity,
    clock,
    signal: over,
    // What a balancer fails at here, the next step meets too, and tells.
    probe: async () => look().then(stillAtWork, stillAtWork),
  }).catch((thrown: unknown) => {
    if (!(thrown instanceof RotaError && thrown.code === "INTERRUPTED")) throw thrown;
  });
}

const stillAtWork = () => notYet("work on the node");

/** A reload meanwhile may have put a node that failed back into rotation: it is told again, and that is said. */
export async function tellAgainIfBack(trip: Trip, { balancers, emit }: World): Promise<void> {
  const node = nameOf(trip);
  try {
    const back = (await balancers.look(trip.places)).filter((entry) => entry.admin === "ready");
    if (back.length === 0) return;
    await balancers.set(back, "maint");
    const text = `${back.map(sayPlace).join(", ")} no longer had ${node} out; told again`;
    emit({ type: "notice", node, text });
  } catch (thrown) {
    emit({ type: "notice", node, text: `${node} could not be looked after: ${messageOf(thrown)}` });
  }
}

/** What becomes of sessions that have not ended at the limit (drain.at_limit), and who they are. */
import { RotaError } from "../base/errors.ts";
import { sayDuration } from "../base/duration.ts";
import { poll } from "../base/poll.ts";
import { untilTurn } from "./ahead.ts";
import { sayPlace } from "./place.ts";
import type { Session } from "./ports.ts";
import { type Look, countOf, quietFor } from "./quiet.ts";
import { untilAnswered, whileUnanswered } from "./unanswered.ts";
import { type Trip, type World, keepPrinted, nameOf, watchedOf } from "./world.ts";

/**
 * @param thrown what ended the wait
 * @param last what the last look saw; undefined where a balancer did not answer, or does not have the node out
 * @param advice for the person, besides
 * @throws RotaError WAIT_LIMIT, with who holds the node, unless the inventory says to go on
 */
export async function atLimit(
  trip: Trip,
  world: World,
  thrown: unknown,
  last: Look | undefined,
  advice?: string,
): Promise<void> {
  if (!(thrown instanceof RotaError && thrown.code === "WAIT_LIMIT")) throw thrown;
  const problem = `${thrown.message}${await sayHolders(trip, world)}`;
  switch (last && trip.pool.drain.atLimit) {
    case "cut":
      await untilTurn(trip, world); // they would be cut for nothing, if it does not come
      return cut(trip, world, problem);
    case "go-on":
      return goOn(trip, world, problem, last ? countOf(last) : 0);
    default: {
      const give = "give drain.within more time, or say in drain.at_limit what becomes of them (cut, go-on)";
      const next = advice === undefined ? give : `${give}; ${advice}`;
      throw new RotaError("WAIT_LIMIT", { problem, next, cause: thrown });
    }
  }
}

/** They are left to what is done on the node; nobody waits for them any more. */
async function goOn(trip: Trip, world: World, problem: string, left: number): Promise<void> {
  trip.gaveUp = Math.max(left, trip.gaveUp ?? 0);
  await record(trip, world, `${problem}; drain.at_limit is go-on: ${sayCount(left)} given up`);
}

/** New requests that a thread had chosen the node for, and that are tried again, may take so long to end. */
const cutWithin = 10_000;

/** Maint first: whoever is cut must not come back. Then they are ended, and seen to be gone. */
async function cut(trip: Trip, world: World, problem: string): Promise<void> {
  const { balancers, clock, now } = world;
  const node = nameOf(trip);
  const watched = watchedOf(trip);
  const toMaint = async (): Promise<void> => {
    const entries = await balancers.look(trip.places);
    await balancers.set(
      entries.filter((entry) => entry.admin !== "maint"),
      "maint",
    );
  };
  if (now.aborted)
    throw new RotaError("INTERRUPTED", { problem: `stopped before the sessions of ${node} were cut` });
  await untilAnswered(trip, world, toMaint);
  const count = await untilAnswered(trip, world, () => balancers.shut(watched));
  await record(trip, world, `${problem}; drain.at_limit is cut: ${sayCount(count)} cut`);
  const quiet = quietFor(clock);
  await poll({
    what: `the sessions of ${node} to be gone after they were cut`,
    every: 25,
    within: cutWithin,
    clock,
    signal: now,
    probe: () =>
      whileUnanswered(async () => {
        const asked = clock.now();
        const seen = await balancers.watch(watched);
        if (seen.some((at) => !at.out)) await toMaint();
        return quiet(seen, (await balancers.oldWorkers(watched)).active, asked);
      }),
    onSaw: (saw) => world.emit({ type: "waiting", node, step: "settle", saw }),
  }).catch(async (thrown: unknown) => {
    if (!(thrown instanceof RotaError && thrown.code === "WAIT_LIMIT")) throw thrown;
    throw new RotaError("WAIT_LIMIT", {
      problem: `${thrown.message}${await sayHolders(trip, world)}`,
      next: "HAProxy can't end a session whose client has gone already and whose app keeps it: end it there, or have drain.at_limit: go-on",
      cause: thrown,
    });
  });
}

/** Requests are given up: whoever asks later must find it. */
async function record(trip: Trip, world: World, text: string): Promise<void> {
  world.emit({ type: "notice", node: nameOf(trip), text });
  await keepPrinted(trip, "settle", text, world);
}

const sayCount = (count: number): string => `${count} ${count === 1 ? "session is" : "sessions are"}`;

const mostNamed = 5;

/** "; the oldest: 10.0.0.7:53122 for 12m (lb1/app/web3), … and 3 more"; nothing where no balancer tells. */
async function sayHolders(trip: Trip, { balancers }: World): Promise<string> {
  const sessions = (await balancers.sessions(watchedOf(trip))).toSorted((a, b) => b.age - a.age);
  if (sessions.length === 0) return "";
  const rest = sessions.length - mostNamed;
  const named = sessions.slice(0, mostNamed).map(saySession).join(", ");
  return `; held by ${named}${rest > 0 ? ` and ${rest} more` : ""}`;
}

const saySession = ({ client, age, oldWorker, ...place }: Session): string =>
  `${client} for ${sayDuration(age)} (${sayPlace(place)}${oldWorker === undefined ? "" : `, old worker ${oldWorker}`})`;

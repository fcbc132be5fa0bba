/** The node's own status page: told to refuse and to pass again, and asked what it answers. */
import { RotaError } from "../base/errors.ts";
import { notYet, poll, yes } from "../base/poll.ts";
import type { StepName } from "../events/events.ts";
import type { PageAct } from "../inventory/fleet.ts";
import { fill } from "../inventory/placeholders.ts";
import { runOnNode, valuesOf } from "./host.ts";
import { type Trip, type World, nameOf } from "./world.ts";

/** Milliseconds that one answer may take. */
const answerWithin = 5_000;

/** Tells the page; whether it took it is for a look to say. @throws RotaError COMMAND_FAILED, COMMAND_UNKNOWN, INTERRUPTED */
export async function tellPage(trip: Trip, act: PageAct, name: StepName, world: World): Promise<void> {
  if ("run" in act) return runOnNode(trip, name, act, world);
  const url = fill(act.post, valuesOf(trip));
  const within = Math.min(answerWithin, trip.pool.limits.command);
  const outcome = await world.health.post(url, { within, signal: world.now });
  if (outcome.kind === "done") return;
  const code = outcome.kind === "failed" ? "COMMAND_FAILED" : "COMMAND_UNKNOWN";
  throw new RotaError(world.now.aborted ? "INTERRUPTED" : code, {
    problem: `${name} on ${nameOf(trip)}: POST ${trip.redact(url)}: ${outcome.why}`,
  });
}

/** One look: what is wrong with the page's answer, were it to be this status; undefined if it is. */
export const pageFault = (trip: Trip, status: number, { health, now }: World): Promise<string | undefined> =>
  health.faultOf(
    { url: fill(trip.pool.check.url, valuesOf(trip)), status, body: undefined },
    { within: Math.min(answerWithin, trip.pool.check.within), signal: now },
  );

/** Held out: it answers `while_out`. A node that did not serve may be silent, and is as much out. */
export async function isOut(trip: Trip, world: World): Promise<boolean> {
  const { whileOut, status } = trip.pool.check;
  if ((await pageFault(trip, whileOut, world)) === undefined) return true;
  return trip.standing !== "serving" && (await pageFault(trip, status, world)) !== undefined;
}

/**
 * Waits until the page answers so, `check.times` in a row: one of several workers that took it is not the page.
 *
 * @param what completes "waiting for"
 */
export async function untilPage(
  trip: Trip,
  world: World,
  { what, step, look }: { what: string; step: StepName; look: () => Promise<string | undefined> },
): Promise<void> {
  const { times } = trip.pool.check;
  let good = 0;
  await poll({
    what,
    every: 25,
    within: trip.pool.drain.within,
    clock: world.clock,
    signal: world.now,
    probe: async () => {
      const fault = await look();
      good = fault === undefined ? good + 1 : 0;
      if (good >= times) return yes(undefined);
      return notYet(fault === undefined ? `${good} of ${times} such answers` : trip.redact(fault));
    },
    onSaw: (saw) => world.emit({ type: "waiting", node: nameOf(trip), step, saw }),
  });
}

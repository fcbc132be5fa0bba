/** What is done with a node whose trip failed. Nothing here makes a node ready that was not proven. */
import { messageOf } from "../base/errors.ts";
import type { NodeEnd } from "../events/events.ts";
import { leaveAsFound } from "./back.ts";
import { LeftAlone } from "./leave.ts";
import { type Trip, type World, nameOf } from "./world.ts";

interface Failed {
  end: NodeEnd;
  failure: unknown;
}

/**
 * Nothing done on the node yet: it goes back as it was found. Otherwise it stays out everywhere, for nobody
 * knows what it would answer. A proven node that a balancer would not take back is left so.
 */
export async function afterFailure(trip: Trip, thrown: unknown, world: World): Promise<Failed> {
  if (thrown instanceof LeftAlone) {
    notice(trip, `${nameOf(trip)} is left alone: ${thrown.message}`, world);
    return { end: "as found", failure: undefined };
  }
  switch (trip.reached) {
    case "untouched":
      return { end: trip.absence ? "out" : "as found", failure: thrown };
    case "drained":
      return { end: await undoDrain(trip, world), failure: thrown };
    case "changed":
      await keepOut(trip, world);
      return { end: "out", failure: thrown };
    case "proven":
      return { end: "out", failure: thrown };
  }
}

async function undoDrain(trip: Trip, world: World): Promise<NodeEnd> {
  // It was out before this run, and nothing proves it now.
  if (trip.standing === "ours") return "out";
  try {
    await leaveAsFound(trip, world);
  } catch (thrown) {
    notice(trip, `${nameOf(trip)} could not be put back as found: ${messageOf(thrown)}`, world);
    return "out";
  }
  await world.journal.putBack(world.fleet, nameOf(trip)).catch((thrown: unknown) => {
    notice(
      trip,
      `${nameOf(trip)} is back as found, and the journal does not know: ${messageOf(thrown)}`,
      world,
    );
  });
  return "as found";
}

/** Into maint on every balancer that can be told: a failed node gets no sticky client either. */
async function keepOut(trip: Trip, world: World): Promise<void> {
  await world.balancers.set(trip.places, "maint").catch((thrown: unknown) => {
    notice(trip, `${nameOf(trip)} could not be told everywhere to stay out: ${messageOf(thrown)}`, world);
  });
}

const notice = (trip: Trip, text: string, { emit }: World): void =>
  emit({ type: "notice", node: nameOf(trip), text });

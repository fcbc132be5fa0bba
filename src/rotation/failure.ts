/** What is done with a node whose trip failed. Nothing here makes a node ready that was not proven. */
import { messageOf } from "../base/errors.ts";
import type { NodeEnd } from "../events/events.ts";
import { LeftAlone } from "./leave.ts";
import { wayOf } from "./ways.ts";
import { type Trip, type World, isHeld, nameOf } from "./world.ts";

interface Failed {
  end: NodeEnd;
  failure: unknown;
}

/**
 * Nothing done on the node yet: it goes back as it was found. Otherwise it stays out everywhere, for nobody
 * knows what it would answer. A proven node that a balancer would not take back is left so; one that is back,
 * and only the journal does not know, is told as what it is.
 */
export async function afterFailure(trip: Trip, thrown: unknown, world: World): Promise<Failed> {
  if (thrown instanceof LeftAlone) {
    notice(trip, `${nameOf(trip)} is left alone: ${thrown.message}`, world);
    return { end: "as found", failure: undefined };
  }
  switch (trip.reached) {
    case "untouched":
      return { end: trip.absence && trip.standing !== "serving" ? "out" : "as found", failure: thrown };
    case "tried":
      return { end: await outAgain(trip, world), failure: thrown };
    case "drained":
      return { end: await undoDrain(trip, world), failure: thrown };
    case "changed":
      if (trip.wentBack && trip.stays) return { end: "as found", failure: thrown };
      await keepOut(trip, world);
      return { end: stillServes(trip) ? "back" : "out", failure: thrown };
    case "proven":
      return { end: "out", failure: thrown };
    case "back":
      return { end: endOf(trip), failure: thrown };
  }
}

/** It never left, and could not be taken out. */
const stillServes = ({ stays, reached }: Trip): boolean => stays && reached === "back";

/** How a trip ends well: a hold, and what somebody keeps out, stays out. */
export const endOf = ({ hold, standing }: Trip): NodeEnd =>
  hold || standing === "held" ? "kept out" : "back";

async function undoDrain(trip: Trip, world: World): Promise<NodeEnd> {
  // It was out before this run, and nothing proves it now.
  if (trip.standing === "ours") return "out";
  try {
    await wayOf(trip).leaveAsFound(trip, world);
  } catch (thrown) {
    // What would not be told to leave may not take the way back either, and needs none.
    if (!(await wayOf(trip).isAsFound(trip, world))) {
      notice(trip, `${nameOf(trip)} could not be put back as found: ${messageOf(thrown)}`, world);
      return "out";
    }
  }
  // A hold that was there before stays its owner's.
  if (!isHeld(trip)) await forget(trip, world);
  return "as found";
}

/** A return by hand that failed: out as it was before. */
async function outAgain(trip: Trip, world: World): Promise<NodeEnd> {
  try {
    await wayOf(trip).outAgain(trip, world);
  } catch (thrown) {
    notice(trip, `${nameOf(trip)} could not be left as it was before: ${messageOf(thrown)}`, world);
    return "out";
  }
  const byChecks = trip.entries.some((entry) => entry.outBecause && entry.admin === "ready");
  if (trip.absence || byChecks) return "out";
  await forget(trip, world);
  return "as found";
}

async function forget(trip: Trip, world: World): Promise<void> {
  await world.journal.putBack(world.fleet, nameOf(trip)).catch((thrown: unknown) => {
    notice(trip, `${nameOf(trip)} is as found, and the journal does not know: ${messageOf(thrown)}`, world);
  });
}

async function keepOut(trip: Trip, world: World): Promise<void> {
  await wayOf(trip)
    .keepOut(trip, world)
    .catch((thrown: unknown) => {
      notice(trip, `${nameOf(trip)} could not be told everywhere to stay out: ${messageOf(thrown)}`, world);
    });
}

const notice = (trip: Trip, text: string, { emit }: World): void =>
  emit({ type: "notice", node: nameOf(trip), text });

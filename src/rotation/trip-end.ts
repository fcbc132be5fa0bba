import { RotaError, messageOf } from "../base/errors.ts";
import type { NodeEnd } from "../events/events.ts";
import { type Trip, type World, nameOf } from "./world.ts";

/** How one node's trip ended, and why if not well. */
export interface TripEnd {
  trip: Trip;
  end: NodeEnd;
  failure: unknown;
}

/** It is back and serves, and worse than it should, or nobody can tell: that concerns all nodes to come. */
export const isOfSoak = (failure: unknown): boolean =>
  failure instanceof RotaError && failure.code.startsWith("SOAK_");

/** Begins what the journal has of such a node. */
const noTurn = "its turn did not come";

/** It had left ahead of its turn, which did not come: it is put back as found, unchanged. */
export class TurnLost extends RotaError {
  constructor(why: string) {
    super("INTERRUPTED", { problem: `${noTurn}: ${why}` });
  }
}

/** As before its turn, and still to come; not one that could not be put back. */
export const isStillToCome = ({ end, failure }: Pick<TripEnd, "end" | "failure">): boolean =>
  end === "as found" && failure instanceof TurnLost;

/** The same, by what the journal has of its trip. */
export const wasStillToCome = ({ outcome, why }: { outcome: NodeEnd; why: string | undefined }): boolean =>
  outcome === "as found" && why?.startsWith(noTurn) === true;

/** The end of a trip, told and written. @param started milliseconds of the clock */
export async function tellEnd(
  { trip, end, failure }: TripEnd,
  started: number,
  world: World,
): Promise<TripEnd> {
  const now = world.clock.now();
  const outMs = trip.outSince === undefined ? 0 : (trip.inSince ?? now) - trip.outSince;
  const said = failure === undefined ? undefined : messageOf(failure);
  const isToCome = isStillToCome({ end, failure });
  const why = said === undefined || isToCome ? {} : { why: said }; // it did not fail
  if (isToCome)
    world.emit({ type: "notice", node: nameOf(trip), text: `${nameOf(trip)} is as found: ${said}` });
  world.emit({
    type: "node ended",
    node: nameOf(trip),
    end,
    ms: Math.round(now - started),
    outMs: Math.round(outMs),
    ...why,
  });
  // A journal that can't be written must not hide how the other nodes of the batch ended.
  const unwritten = await writeEnd(trip, end, failure, world).catch((thrown: unknown) => thrown);
  world.hosts.close(trip.node);
  return { trip, end, failure: failure ?? unwritten };
}

/** A trip that was stopped in the middle, or before its soak ended, has no end: a resume goes on with it. */
async function writeEnd(trip: Trip, end: NodeEnd, failure: unknown, { journal, run }: World): Promise<void> {
  const unfinished = end === "out" || (end === "back" && trip.company !== undefined);
  if (failure instanceof RotaError && failure.code === "INTERRUPTED" && unfinished) return;
  await journal.nodeEnded(run, nameOf(trip), end, failure === undefined ? undefined : messageOf(failure));
}

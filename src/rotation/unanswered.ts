/** A lost answer is unknown, not a failure: the balancer is asked again. What it is told may be told twice. */
import { RotaError } from "../base/errors.ts";
import { type Seen, notYet, poll, yes } from "../base/poll.ts";
import { type Trip, type World, nameOf } from "./world.ts";

/** One look of a wait; where no answer comes the wait goes on, until its own end. */
export async function whileUnanswered<T>(look: () => Promise<Seen<T>>): Promise<Seen<T>> {
  try {
    return await look();
  } catch (thrown) {
    if (thrown instanceof RotaError && thrown.code === "BALANCER_UNREACHABLE") return notYet(thrown.message);
    throw thrown;
  }
}

/** Milliseconds: longer than a reload takes, and short enough for a node that is drained meanwhile. */
const patience = 2_000;

/** Asks or tells the balancers something, again where one does not answer for a moment. */
export const untilAnswered = <T>(trip: Trip, { clock }: World, ask: () => Promise<T>): Promise<T> =>
  poll({
    what: `the balancers of ${nameOf(trip)} to answer`,
    every: 50,
    within: patience,
    clock,
    signal: new AbortController().signal, // short, and better done than left in the middle
    probe: () => whileUnanswered(async () => yes(await ask())),
  }).catch((thrown: unknown) => {
    if (!(thrown instanceof RotaError && thrown.code === "WAIT_LIMIT")) throw thrown;
    throw new RotaError("BALANCER_UNREACHABLE", { problem: thrown.message, cause: thrown });
  });

/** How a run ended, in words: what happened, how things were left, what to type next. Pure. */
import { RotaError, messageOf } from "../base/errors.ts";
import type { NodeEnd } from "../events/events.ts";
import type { RolloutEnd, TripEnd } from "./rollout.ts";
import { type Trip, nameOf } from "./world.ts";

/**
 * The first failure, told with how everything was left; undefined where none failed.
 * @param again The command that does the rest.
 */
export function failureOf({ ended, notStarted }: RolloutEnd, again: string): RotaError | undefined {
  const failed = ended.filter(({ failure }) => failure !== undefined);
  const [first] = failed;
  if (!first) return undefined;
  const cause = first.failure;
  // What is neither the world's doing nor a person's is a defect of ours, and keeps its own trace.
  const code = cause instanceof RotaError ? cause.code : "COMMAND_FAILED";
  const advice = cause instanceof RotaError && cause.next ? `${cause.next}; then: ` : "";
  return new RotaError(code, {
    problem: failed.map(sayFailure).join("\n"),
    left: sayLeft(ended, notStarted),
    next: advice + again,
    cause,
  });
}

/** A run that a person stopped before every node had its turn. */
export function interruptionOf({ ended, notStarted }: RolloutEnd, again: string): RotaError | undefined {
  if (notStarted.length === 0) return undefined;
  return new RotaError("INTERRUPTED", {
    problem: `stopped as asked, after ${ended.length} of ${ended.length + notStarted.length} nodes`,
    left: sayLeft(ended, notStarted),
    next: `${again}, which does the rest`,
  });
}

function sayFailure({ trip, failure }: TripEnd): string {
  const said = `${nameOf(trip)}: ${messageOf(failure)}`;
  if (trip.lastLines.length === 0) return said;
  return `${said}\n  the end of its output:\n${trip.lastLines.map((line) => `    ${line}`).join("\n")}`;
}

/** "web3 is out of rotation; web1, web2 are back in rotation; web4 was not touched" */
export function sayLeft(ended: TripEnd[], notStarted: Trip[]): string {
  const names = (end: NodeEnd): string[] =>
    ended.filter((one) => one.end === end).map(({ trip }) => nameOf(trip));
  const parts: [string[], string, string][] = [
    [names("out"), "is out of rotation", "are out of rotation"],
    [names("back"), "is back in rotation", "are back in rotation"],
    [names("kept out"), "is kept out, as wanted", "are kept out, as wanted"],
    [names("as found"), "is as it was found", "are as they were found"],
    [notStarted.map(nameOf), "was not touched", "were not touched"],
  ];
  return parts
    .filter(([who]) => who.length > 0)
    .map(([who, one, many]) => `${listed(who)} ${who.length === 1 ? one : many}`)
    .join("; ");
}

const mostNamed = 12;

const listed = (names: string[]): string =>
  names.length <= mostNamed
    ? names.join(", ")
    : `${names.slice(0, mostNamed - 2).join(", ")} and ${names.length - mostNamed + 2} more`;

/** How a run ended, in words: what happened, how things were left, what to type next. Pure. */
import { RotaError, messageOf } from "../base/errors.ts";
import type { NodeEnd } from "../events/events.ts";
import type { RolloutEnd, TripEnd } from "./rollout.ts";
import { type Trip, nameOf } from "./world.ts";

/** The command once more, as a person can paste it: for these nodes, or for all that it named. */
export type Again = (nodes?: string[]) => string;

/** The first failure, told with how everything was left; undefined where none failed. */
export function failureOf({ ended, notStarted }: RolloutEnd, again: Again): RotaError | undefined {
  const failed = ended.filter(({ failure }) => failure !== undefined);
  const [first] = failed;
  if (!first) return undefined;
  const cause = first.failure;
  const code = cause instanceof RotaError ? cause.code : "COMMAND_FAILED";
  const advice = cause instanceof RotaError && cause.next ? `${cause.next}; then: ` : "";
  return new RotaError(code, {
    problem: failed.map(sayFailure).join("\n"),
    left: sayLeft(ended, notStarted),
    next: advice + again(restOf({ ended, notStarted })),
    cause,
  });
}

/** A run that a person stopped before every node had its turn. */
export function interruptionOf({ ended, notStarted }: RolloutEnd, again: Again): RotaError | undefined {
  if (notStarted.length === 0) return undefined;
  return new RotaError("INTERRUPTED", {
    problem: `stopped as asked, after ${ended.length} of ${ended.length + notStarted.length} nodes`,
    left: sayLeft(ended, notStarted),
    next: `for the rest: ${again(restOf({ ended, notStarted }))}`,
  });
}

/** More would not be read, and not be pasted. */
const mostInCommand = 20;

/** What is still to be done; undefined for all of it, which is right too, and only more than is needed. */
function restOf({ ended, notStarted }: RolloutEnd): string[] | undefined {
  const failed = ended.filter(({ failure }) => failure !== undefined);
  if (failed.length === ended.length) return undefined;
  const rest = [...failed.map(({ trip }) => trip), ...notStarted].map(nameOf);
  return rest.length > mostInCommand ? undefined : rest;
}

function sayFailure({ trip, failure }: TripEnd): string {
  const said = `${nameOf(trip)}: ${messageOf(failure)}`;
  if (trip.lastLines.length === 0) return said;
  return `${said}\n  the end of its output:\n${trip.lastLines.map((line) => `    ${line}`).join("\n")}`;
}

/** "web3 is out of rotation; web1, web2 are back in rotation; web4 was not touched" */
export function sayLeft(ended: TripEnd[], notStarted: Trip[]): string {
  const names = (end: NodeEnd): string[] =>
    ended.filter((one) => one.end === end && !isInPart(one)).map(({ trip }) => nameOf(trip));
  const inPart = ended.filter(isInPart).map(({ trip }) => nameOf(trip));
  const parts: [string[], string, string][] = [
    [names("out"), "is out of rotation", "are out of rotation"],
    [inPart, "is back in part at most (see rota status)", "are back in part at most (see rota status)"],
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

/** Not every balancer would take it back. */
const isInPart = ({ trip: { reached, standing }, end }: TripEnd): boolean =>
  end === "out" && (reached === "proven" || (reached === "drained" && standing !== "ours"));

const mostNamed = 12;

const listed = (names: string[]): string =>
  names.length <= mostNamed
    ? names.join(", ")
    : `${names.slice(0, mostNamed - 2).join(", ")} and ${names.length - mostNamed + 2} more`;

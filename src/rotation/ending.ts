/** How a run ended, in words: what happened, how things were left, what to type next. Pure. */
import { RotaError, messageOf } from "../base/errors.ts";
import type { NodeEnd } from "../events/events.ts";
import type { RolloutEnd } from "./rollout.ts";
import { type TripEnd, isOfSoak } from "./trip-end.ts";
import { type Trip, nameOf } from "./world.ts";

/** Commands for the rest, as a person can paste them. */
export interface GoOn {
  /** The run goes on. */
  resume: string;
  /** The run goes on, and the node that failed is tried again. */
  retry: string;
  /** These nodes are taken out by hand. */
  drain: (nodes: string[]) => string;
  /** The command itself, from its beginning. */
  again: string;
}

/** The first failure, told with how everything was left; undefined where none failed. */
export function failureOf(rollout: RolloutEnd, goOn: GoOn): RotaError | undefined {
  const { ended, notStarted } = rollout;
  const failed = ended.filter(({ failure }) => failure !== undefined);
  const [first] = failed;
  if (!first) return hookFailureOf(rollout, goOn);
  const cause = (failed.find(({ failure }) => isWorse(failure)) ?? first).failure;
  const code = cause instanceof RotaError ? cause.code : "COMMAND_FAILED";
  const advice = cause instanceof RotaError && cause.next ? `${cause.next}; then: ` : "";
  return new RotaError(code, {
    problem: failed.map(sayFailure).join("\n"),
    left: sayLeft(ended, notStarted) + sayForgetful(ended),
    next: advice + (isUntouched(ended) ? goOn.again : nextAfter(failed, goOn)),
    cause,
  });
}

/** The same, where rota itself goes on: what a person is to do is told when that is over. */
export const beforeUndo = (failure: RotaError | undefined): RotaError | undefined =>
  failure &&
  new RotaError(failure.code, {
    problem: failure.message,
    ...(failure.left === undefined ? {} : { left: failure.left }),
    next: "nothing yet: what was upgraded is put back now (rollout.on_failure)",
    cause: failure,
  });

/** All nodes are well, or as they were; what was run beside them is not. */
function hookFailureOf({ ended, notStarted, hook }: RolloutEnd, goOn: GoOn): RotaError | undefined {
  if (hook === undefined) return undefined;
  return new RotaError(hook instanceof RotaError ? hook.code : "HOOK_FAILED", {
    problem: messageOf(hook),
    left: sayLeft(ended, notStarted),
    next: ended.length === 0 ? goOn.again : `${goOn.resume}, once that is mended`,
    cause: hook,
  });
}

/** Nothing was done, neither with a balancer nor on a node. */
export const isUntouched = (ended: TripEnd[]): boolean =>
  ended.every(({ trip, failure }) => trip.reached === "untouched" && !isOfCommand(failure));

/** Only what nodes are prepared with is run before they are touched. */
const isOfCommand = (failure: unknown): boolean =>
  failure instanceof RotaError &&
  ["COMMAND_FAILED", "COMMAND_UNKNOWN", "UPLOAD_FAILED"].includes(failure.code);

/** A run that a person stopped before every node had its turn. */
export function interruptionOf({ ended, notStarted }: RolloutEnd, goOn: GoOn): RotaError | undefined {
  if (notStarted.length === 0) return undefined;
  return new RotaError("INTERRUPTED", {
    problem: `stopped as asked, after ${ended.length} of ${ended.length + notStarted.length} nodes`,
    left: sayLeft(ended, notStarted),
    next: `${goOn.resume}, which does the rest`,
  });
}

/** Where a node was left out, it is for a person to say whether it is tried again. */
function nextAfter(failed: TripEnd[], goOn: GoOn): string {
  const { resume, retry } = goOn;
  const soaked = failed.filter(({ failure }) => isOfSoak(failure));
  if (soaked.length > 0) return nextAfterSoak(failed, soaked, goOn);
  const out = failed
    .filter(({ trip, end, failure }) => (end === "out" || trip.wentBack) && !isInterruption(failure))
    .map(({ trip }) => nameOf(trip));
  if (out.length === 0) return resume;
  const skip = out.map((name) => `--skip ${name}`).join(" ");
  return `${retry}, once ${listed(out)} can be well; or ${resume} ${skip}`;
}

/** They serve: a person decides whether they may. */
function nextAfterSoak(failed: TripEnd[], soaked: TripEnd[], { resume, retry, drain }: GoOn): string {
  const worse = soaked.filter(({ failure }) => isWorse(failure)).map(({ trip }) => nameOf(trip));
  const skip = failed
    .filter(({ end, failure }) => end === "out" || isOfSoak(failure))
    .map(({ trip }) => `--skip ${nameOf(trip)}`);
  return [
    ...(worse.length > 0 ? [`${drain(worse)}, which takes ${listed(worse)} out`] : []),
    `${retry}, which watches ${soaked.length === 1 ? "it" : "them"} once more`,
    `or ${resume} ${skip.join(" ")}, which goes on all the same`,
  ].join("; ");
}

const isWorse = (failure: unknown): boolean => failure instanceof RotaError && failure.code === "SOAK_WORSE";

const isInterruption = (failure: unknown): boolean =>
  failure instanceof RotaError && failure.code === "INTERRUPTED";

function sayFailure({ trip, failure }: TripEnd): string {
  const said = `${nameOf(trip)}: ${messageOf(failure)}`;
  if (trip.lastLines.length === 0) return said;
  return `${said}\n  the end of its output:\n${trip.lastLines.map((line) => `    ${line}`).join("\n")}`;
}

/** "web3 is out of rotation; web1, web2 are back in rotation; web4 was not touched" */
export function sayLeft(ended: TripEnd[], notStarted: Trip[]): string {
  const names = (end: NodeEnd): string[] =>
    ended
      .filter((one) => one.end === end && !isInPart(one) && !inOnOld.includes(one))
      .map(({ trip }) => nameOf(trip));
  const inOnOld = ended.filter(({ trip, end }) => trip.wentBack && end === "as found");
  // They had left ahead of their turn.
  const putBack = notStarted.filter(({ reached }) => reached !== "untouched").map(nameOf);
  const inPart = ended.filter(isInPart).map(({ trip }) => nameOf(trip));
  const parts: [string[], string, string][] = [
    [names("out"), "is out of rotation", "are out of rotation"],
    [inPart, "is back in part at most (see rota status)", "are back in part at most (see rota status)"],
    [names("back"), "is back in rotation", "are back in rotation"],
    [
      inOnOld.map(({ trip }) => nameOf(trip)),
      "serves with its old release, alone",
      "serve with their old release, alone",
    ],
    [names("kept out"), "is kept out, as wanted", "are kept out, as wanted"],
    [[...names("as found"), ...putBack], "is as it was found", "are as they were found"],
    [
      notStarted.filter((trip) => !putBack.includes(nameOf(trip))).map(nameOf),
      "was not touched",
      "were not touched",
    ],
  ];
  return parts
    .filter(([who]) => who.length > 0)
    .map(([who, one, many]) => `${listed(who)} ${who.length === 1 ? one : many}`)
    .join("; ");
}

/** What is told at the runtime socket lasts as long as the worker that was told. */
function sayForgetful(ended: TripEnd[]): string {
  const told = ended.filter((one) => one.end === "out" && !isInPart(one) && !one.trip.pool.statusPage);
  if (told.length === 0) return "";
  return `\n(a HAProxy that is reloaded and loads no server state file forgets that; rota status would name ${listed(told.map(({ trip }) => nameOf(trip)))} first)`;
}

/** Not every balancer would take it back. */
const isInPart = ({ trip: { reached, standing }, end }: TripEnd): boolean =>
  end === "out" && (reached === "proven" || (reached === "drained" && standing !== "ours"));

const mostNamed = 12;

const listed = (names: string[]): string =>
  names.length <= mostNamed
    ? names.join(", ")
    : `${names.slice(0, mostNamed - 2).join(", ")} and ${names.length - mostNamed + 2} more`;

/** One of our own scripts on a node, and what it says. */
import { RotaError } from "../../base/errors.ts";
import type { Outcome } from "../ports.ts";
import { type Trip, type World, nameOf } from "../world.ts";
import { type NodeRelease, linkTo } from "./release.ts";

export interface Answer {
  outcome: Outcome;
  /** Words that were said for rota, each with its last value. */
  said: Map<string, string>;
  /** All values of them, in order. */
  all: { word: string; value: string }[];
  /** The end of what else was printed, for people. */
  printed: string[];
}

const linesKept = 20;

/** Runs it once. What breaks the connection is `unknown`, also where it can't be opened again. */
export async function ask(
  trip: Trip,
  script: string,
  release: Pick<NodeRelease, "to" | "name" | "keep">,
  { hosts, now }: World,
  more: Record<string, string> = {},
): Promise<Answer> {
  const answer: Answer = { outcome: { kind: "done" }, said: new Map(), all: [], printed: [] };
  answer.outcome = await hosts.run(trip.node, script, {
    variables: { ROTA_TO: release.to, ROTA_NAME: release.name, ROTA_KEEP: `${release.keep}`, ...more },
    within: trip.pool.limits.command,
    signal: now,
    onOutput({ text }) {
      const [, word, value = ""] = /^rota-release: (\w+) ?(.*)$/.exec(text) ?? [];
      if (word === undefined) return void (answer.printed = [...answer.printed, text].slice(-linesKept));
      answer.said.set(word, value);
      answer.all.push({ word, value });
    },
  });
  return answer;
}

/** Tries of what can be done twice without harm, where the connection was cut. */
export const tries = 3;

/** Asks until the answer is whole, but not for ever. @throws RotaError as the host does; else `failed` names what failed */
export async function mustAnswer(
  trip: Trip,
  script: string,
  release: Pick<NodeRelease, "to" | "name" | "keep">,
  world: World,
  { what, more = {} }: { what: string; more?: Record<string, string> },
): Promise<Answer> {
  for (let round = 1; ; round += 1) {
    const answer = await ask(trip, script, release, world, more);
    const { outcome } = answer;
    if (outcome.kind === "done") return answer;
    if (isCut(outcome) && !world.now.aborted && round < tries) {
      const text = `${nameOf(trip)}: ${outcome.why}; ${what} is asked for again`;
      world.emit({ type: "notice", node: nameOf(trip), text });
      continue;
    }
    throw failed(trip, what, answer, world);
  }
}

/** A connection that ended: before a command, it was not started. */
export const isCut = (outcome: Outcome): boolean =>
  outcome.kind === "unknown" ||
  (outcome.kind === "failed" && outcome.why.startsWith("the command was not started"));

/** What went wrong, with the end of what was printed. */
export function failed(trip: Trip, what: string, { outcome, printed }: Answer, { now }: World): RotaError {
  trip.lastLines = printed.map(trip.redact);
  const why = outcome.kind === "done" ? "it said something else than expected" : outcome.why;
  const isUnknown = outcome.kind === "unknown";
  const code = now.aborted ? "INTERRUPTED" : isUnknown ? "COMMAND_UNKNOWN" : "COMMAND_FAILED";
  const full = printed.some((line) => /no space left on device|disk quota exceeded/i.test(line));
  const problem = `${what} on ${nameOf(trip)}: ${full ? "no space left on the node" : why}`;
  return new RotaError(code, {
    problem,
    ...(full ? { next: `make room on ${nameOf(trip)}, or lower release.keep` } : {}),
  });
}

/** How a release stands on its node. */
export interface Standing {
  /** Unpacked, whole. */
  there: boolean;
  /** What `current` says, if it is a link. */
  link: string | undefined;
  /** `current` is something else than a link. */
  isFolder: boolean;
  /** `current` leads to it. */
  runs: boolean;
  /** What `current` said before its last switch. */
  previous: string | undefined;
  /** The name of the last one with which the node was seen well. */
  good: string | undefined;
}

export function standingIn({ said }: Answer): Standing {
  return {
    there: said.has("there"),
    link: said.get("current") || undefined,
    isFolder: said.has("folder"),
    runs: said.has("runs"),
    previous: said.get("previous") || undefined,
    good: said.get("good") || undefined,
  };
}

/**
 * What `current` is to say where the release can't serve: the one with which the node was last seen well; where none
 * was, what was there before. Undefined where that is this release itself.
 */
export function comesFrom({ good, link, previous }: Standing, release: NodeRelease): string | undefined {
  if (good !== undefined) return good === release.name ? undefined : linkTo(good);
  return [link, previous].find((one) => one !== undefined && one !== release.link);
}

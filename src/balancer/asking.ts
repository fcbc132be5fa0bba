/** Asks one balancer of the inventory. Every error names it. */
import { RotaError } from "../base/errors.ts";
import type { SocketAddress, SocketBalancer } from "../inventory/fleet.ts";
import { AnswerError, type Info } from "./answers.ts";
import { type Command, showInfo } from "./commands.ts";
import { type Deadlines, NoAnswer, longestLine, sayAddress } from "./exchange.ts";
import { type Answers, runtimeOn } from "./runtime.ts";
import type { Ways } from "./ways.ts";

/** Commands that belong on one line. */
type Group = readonly Command<unknown>[];

/** What one worker said to one group. */
export interface Answered<G extends Group> {
  info: Info;
  answers: Answers<G>;
}

export interface Asking {
  /** Asks on one line; only HAProxy's current worker is believed. */
  ask: <const G extends Group>(...group: G) => Promise<Answered<G>>;
  /** Asks all groups, on as few lines as their length allows. */
  askAll: <const G extends Group>(groups: readonly G[]) => Promise<Answered<G>[]>;
  noRights: (level: string, cause?: unknown) => RotaError;
  /** What the current worker said of itself last; undefined before the first answer. */
  latest: () => Info | undefined;
  /** Ends when it may be asked again, for those who wait for something with others. */
  turn: () => Promise<void>;
}

/** Just after a reload the old worker may still take a connection: measured, 14 of 65,000 in 22 reloads. */
const tries = 4;

export function askBalancer({ name, socket }: SocketBalancer, ways: Ways, within?: Deadlines): Asking {
  const runtime = runtimeOn(ways, name, socket, within, { keep: true });
  let latest: Info | undefined;

  async function ask<const G extends Group>(...group: G): Promise<Answered<G>> {
    for (let tried = 0; tried < tries; tried++) {
      try {
        const [info, ...answers] = await runtime.ask(showInfo(), ...group);
        if (!info.stopping) {
          latest = info;
          return { info, answers };
        }
      } catch (thrown) {
        // What an old worker was told changed nothing, so the new one may be told the same.
        if (!(thrown instanceof AnswerError && thrown.kind === "stopping")) throw named(thrown);
      }
      runtime.leave();
    }
    throw new RotaError("BALANCER_UNREACHABLE", {
      problem: `${name}: only a worker that is stopping answers; HAProxy is being reloaded or stopped`,
    });
  }

  /** The same error, with the balancer's name and what to do about it. */
  function named(thrown: unknown): unknown {
    if (thrown instanceof NoAnswer) return unreachable(name, socket, thrown);
    if (!(thrown instanceof AnswerError)) return thrown;
    if (thrown.kind === "permission denied") return noRights("less than admin", thrown);
    const missing = thrown.kind === "no such server" || thrown.kind === "no such backend";
    return new RotaError(missing ? "SERVER_MISSING" : "BALANCER_ANSWER", {
      problem: `${name}: ${thrown.message}`,
      ...(missing
        ? {}
        : { next: `see that ${sayAddress(socket)} is its HAProxy's runtime socket, then the same again` }),
      cause: thrown,
    });
  }

  const noRights = (level: string, cause?: unknown): RotaError =>
    new RotaError("BALANCER_RIGHTS", {
      problem: `${name}: its socket gives the level ${level}, and draining needs admin: in HAProxy's global section write "stats socket ${asBound(socket)} level admin"`,
      next: "add that line, reload HAProxy, then the same again",
      cause,
    });

  async function askAll<const G extends Group>(groups: readonly G[]): Promise<Answered<G>[]> {
    const answered: Answered<G>[] = [];
    for (const line of intoLines(groups)) {
      const { info, answers } = await ask(...line.flat());
      answered.push(...cut(line, answers).map((mine) => ({ info, answers: mine })));
    }
    return answered;
  }

  return { ask, askAll, noRights, latest: () => latest, turn: () => runtime.turn() };
}

/** @param what What was asked, where that is not the runtime socket. */
export function unreachable(
  name: string,
  at: SocketAddress,
  thrown: NoAnswer,
  what = 'its runtime socket ("stats socket", not a frontend)',
): RotaError {
  // What SSH says names the balancer already, or its jump host.
  const problem = thrown.cause instanceof RotaError ? thrown.message : `${name}: ${thrown.message}`;
  const next = thrown.next ?? `see that HAProxy runs and that ${sayAddress(at)} is ${what}`;
  return new RotaError(thrown.closedToUs ? "BALANCER_RIGHTS" : "BALANCER_UNREACHABLE", {
    problem,
    next,
    cause: thrown,
  });
}

/** Groups that fit on one line each, `show info` before them. */
export const intoLines = <G extends Group>(groups: readonly G[]): G[][] => linesOf(groups, (group) => group);

/**
 * What fits on one line each, by the commands of each, `show info` before them.
 *
 * @param last goes on each line too
 */
export function linesOf<T>(all: readonly T[], commandsOf: (one: T) => Group, last: Group = []): T[][] {
  const lines: T[][] = [];
  let left = 0;
  for (const one of all) {
    const bytes = bytesOf(commandsOf(one));
    const line = lines.at(-1);
    if (line && bytes <= left) line.push(one);
    else {
      lines.push([one]);
      left = longestLine - showInfo().line.length - bytesOf(last);
    }
    left -= bytes;
  }
  return lines;
}

const bytesOf = (commands: Group): number => commands.reduce((sum, { line }) => sum + line.length + 1, 0);

/** The answers to all groups of a line → those to each. */
function cut<G extends Group>(groups: readonly G[], answers: readonly unknown[]): Answers<G>[];
function cut(groups: readonly Group[], answers: readonly unknown[]): unknown[][] {
  let from = 0;
  return groups.map((group) => answers.slice(from, (from += group.length)));
}

/** As `bind` in HAProxy's configuration has it. */
const asBound = (at: SocketAddress): string =>
  at.kind === "tcp" ? sayAddress(at).replace("tcp://", at.host.includes(":") ? "ipv6@" : "ipv4@") : at.path;

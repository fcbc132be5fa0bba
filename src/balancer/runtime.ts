import PQueue from "p-queue";
import { systemClock } from "../base/clock.ts";
import { untilTime } from "../base/jointly.ts";
import type { SocketAddress } from "../inventory/fleet.ts";
import { AnswerError } from "./answers.ts";
import type { Command } from "./commands.ts";
import { type Deadlines, exchange } from "./exchange.ts";
import { type Line, keptConnection } from "./kept-connection.ts";
import { type Ways, openWays } from "./ways.ts";

/** A tuple of commands → the tuple of what their readers give. */
export type Answers<C extends readonly Command<unknown>[]> = {
  -readonly [K in keyof C]: C[K] extends Command<infer T> ? T : never;
};

/** HAProxy's runtime API at one socket. Disposal ends its SSH connection, where there is one. */
export interface Runtime extends AsyncDisposable {
  /**
   * Asks all commands on one line: one worker's view at one moment. HAProxy runs them in order, also
   * after one that failed; the first error in their order is thrown.
   *
   * @throws AnswerError as the readers judge; NoAnswer when no whole answer came; RangeError for a line above 8 KB
   */
  ask<const C extends readonly Command<unknown>[]>(...commands: C): Promise<Answers<C>>;
}

/**
 * One question at a time: HAProxy serves ten connections over all its stats sockets and leaves the eleventh waiting.
 *
 * @param within milliseconds to connect and to answer; an SSH connection may take 10 s before that
 */
export function openRuntime(at: SocketAddress, within?: Deadlines): Runtime {
  const ways = openWays();
  const name = at.kind === "ssh" ? at.host : "";
  return { ...runtimeOn(ways, name, at, within), [Symbol.asyncDispose]: () => ways[Symbol.asyncDispose]() };
}

/** A long answer costs HAProxy and us time: after it who can wait does, a millisecond for so many bytes beyond the first. */
const bytesPerMs = 8 * 1024;
const atOnce = 16 * 1024;

export interface SharedRuntime extends Pick<Runtime, "ask"> {
  /** To be called when whoever answered is not the current worker. */
  leave(): void;
  /** Ends when the socket may be asked again, for those who wait for something with others. */
  turn(): Promise<void>;
}

export interface Keeping {
  /** Asks on a connection that is kept, while one question follows the other. A master's socket has another prompt. */
  keep?: boolean;
}

/** The same on ways that are shared, and not its own to end. */
export function runtimeOn(
  ways: Ways,
  balancer: string,
  at: SocketAddress,
  within: Deadlines = { connect: 2_000, reply: 5_000 },
  { keep = false }: Keeping = {},
): SharedRuntime {
  const open = ways.to(balancer, at);
  const connection: Line = keep
    ? keptConnection(open, within)
    : {
        say: (line, wanted, longest) => exchange(open, line, wanted, within, longest),
        leave: () => {}, // each ends by itself
      };
  const oneAtATime = new PQueue({ concurrency: 1 });
  let next = 0;
  return {
    turn: () => untilTime(systemClock, next),
    leave: () => connection.leave(),
    async ask(...commands) {
      const line = commands.map((command) => command.line).join(";");
      const longest = Math.min(...commands.map((command) => command.longest ?? Infinity));
      const frames = await oneAtATime.add(() => connection.say(line, commands.length, longest));
      const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
      next = systemClock.now() + Math.max(0, bytes - atOnce) / bytesPerMs;
      return readAll(commands, frames);
    },
  };
}

function readAll<C extends readonly Command<unknown>[]>(commands: C, frames: string[]): Answers<C>;
function readAll(commands: readonly Command<unknown>[], frames: string[]): unknown[] {
  return commands.map((command, i) => readOne(command, frames[i] ?? ""));
}

function readOne(command: Command<unknown>, frame: string): unknown {
  try {
    return command.read(frame);
  } catch (thrown) {
    throw thrown instanceof AnswerError ? new AnswerError(thrown.kind, thrown.answer, command.line) : thrown;
  }
}

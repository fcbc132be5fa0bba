import PQueue from "p-queue";
import type { SocketAddress } from "../inventory/fleet.ts";
import type { Command } from "./commands.ts";
import { type Deadlines, exchange } from "./exchange.ts";

/** A tuple of commands → the tuple of what their readers give. */
type Answers<C extends readonly Command<unknown>[]> = {
  -readonly [K in keyof C]: C[K] extends Command<infer T> ? T : never;
};

/** HAProxy's runtime API at one socket. */
export interface Runtime {
  /**
   * Asks all commands on one line: one worker's view at one moment. HAProxy runs them in order, also
   * after one that failed, so every answer is read before the first error is thrown.
   *
   * @throws AnswerError as the readers judge; NoAnswer when no whole answer came
   */
  ask<const C extends readonly Command<unknown>[]>(...commands: C): Promise<Answers<C>>;
}

/**
 * One question at a time: HAProxy serves ten connections over all its stats sockets and leaves the eleventh waiting.
 *
 * @param within milliseconds to connect and to answer
 */
export function openRuntime(
  at: SocketAddress,
  within: Deadlines = { connect: 2_000, reply: 5_000 },
): Runtime {
  const oneAtATime = new PQueue({ concurrency: 1 });
  return {
    async ask(...commands) {
      const line = commands.map((command) => command.line).join(";");
      const frames = await oneAtATime.add(() => exchange(at, line, commands.length, within));
      // Each reader's type is that of its own command; a mapped tuple can't say so to the compiler.
      return commands.map((command, i) => command.read(frames[i] ?? "")) as Answers<typeof commands>;
    },
  };
}

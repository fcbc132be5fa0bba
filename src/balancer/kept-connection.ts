/** Who asks again and again, as every wait does, asks on a connection that is kept for a while: a fifth of the cost. */
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Clock, systemClock } from "../base/clock.ts";
import {
  type Deadlines,
  NoAnswer,
  type Open,
  answersOn,
  boundsOf,
  checkLength,
  exchange,
} from "./exchange.ts";

/** A way to say one line at a time. */
export interface Line {
  /** @throws as `exchange` */
  say(line: string, wanted: number, longest?: number): Promise<string[]>;
  /** What is said next goes on a new connection. */
  leave(): void;
}

/** Milliseconds. Who asks again so soon after an answer waits for something; whoever only looks on is slower. */
const soon = 150;
/**
 * Milliseconds. A worker that is replaced says so when it is asked; whoever else took the socket's place is met then at
 * the latest.
 */
const longestKept = 2_000;

export function keptConnection(open: Open, within: Deadlines, clock: Clock = systemClock): Line {
  let kept: { stream: Duplex; until: number } | undefined;
  let answered = -Infinity;
  let idle: NodeJS.Timeout | undefined;

  function end(): void {
    clearTimeout(idle);
    kept?.stream.destroy();
    kept = undefined;
  }

  async function sayOn(stream: Duplex, line: string, wanted: number, longest?: number): Promise<string[]> {
    clearTimeout(idle);
    holdProcess(stream, true);
    try {
      return await answersOn(stream, line, wanted, boundsOf(within, longest), true);
    } catch (thrown) {
      end();
      throw thrown;
    } finally {
      holdProcess(stream, false);
      // HAProxy serves ten connections: nobody else should wait for one that is not used.
      idle = setTimeout(end, soon).unref();
    }
  }

  /** @returns undefined where there is none, or HAProxy has ended it meanwhile */
  async function onKept(line: string, wanted: number, longest?: number): Promise<string[] | undefined> {
    if (kept && clock.now() >= kept.until) end();
    if (!kept) return undefined;
    return await sayOn(kept.stream, line, wanted, longest).catch((thrown: unknown) => {
      if (thrown instanceof NoAnswer && thrown.untaken) return undefined;
      throw thrown;
    });
  }

  async function onNew(line: string, wanted: number, longest?: number): Promise<string[]> {
    checkLength(line);
    const stream = await open(within.connect);
    kept = { stream, until: clock.now() + longestKept };
    // Heard here, for what is written to a stream of ssh2 that has ended is answered by nothing, not even an error.
    const over = (): void => void (kept?.stream === stream && end());
    stream.once("end", over).once("close", over).once("error", over);
    return (await sayOn(stream, `${interactive};${line}`, wanted + 1, longest)).slice(1);
  }

  return {
    // Whoever was next may be asking on it already.
    leave: () => void (kept &&= { ...kept, until: -Infinity }),
    async say(line, wanted, longest) {
      const again = clock.now() - answered < soon;
      // An order is told to whoever is the current worker now, and its answer needs no prompt to be whole.
      if (!isQuestion(line)) end();
      const answers =
        isQuestion(line) && again
          ? ((await onKept(line, wanted, longest)) ?? (await onNew(line, wanted, longest)))
          : await exchange(open, line, wanted, within, longest);
      answered = clock.now();
      return answers;
    },
  };
}

/** HAProxy takes one line after another, and answers it with an empty one (Management Guide §9.3). */
const interactive = "prompt";

const isQuestion = (line: string): boolean => line.split(";").every((command) => command.startsWith("show "));

/** A stream through SSH can't say whether the process waits for it, and ends with its connection. */
function holdProcess(stream: Duplex, held: boolean): void {
  if (!(stream instanceof Socket)) return;
  if (held) stream.ref();
  else stream.unref();
}

import type { Readable } from "node:stream";
import type { Client, ClientChannel } from "ssh2";
import { systemClock } from "../base/clock.ts";
import { sayDuration } from "../base/duration.ts";
import { messageOf, RotaError } from "../base/errors.ts";
import { printable } from "../base/quote.ts";
import type { CommandOptions, Outcome } from "../rotation/ports.ts";
import { splitLines } from "./lines.ts";
import { outcomeOf } from "./outcome.ts";
import { type As, remoteCommand, scriptOnStdin } from "./script.ts";

/** Milliseconds that the last output is waited for after the exit: a daemon may hold stdout for ever. */
const lastOutput = 200;
/** Milliseconds; Node takes a longer delay for none at all. */
const longestTimer = 2 ** 31 - 1;

/**
 * Runs a script as `/bin/sh -eu`, on a connection that may still be on its way. The outcome is `failed` where
 * it was not started, `unknown` where the time was over or the signal aborted afterwards.
 *
 * @throws RangeError for a script or variables that no shell can take; RotaError as the connection does.
 */
export async function exec(
  connected: () => Promise<Client>,
  script: string,
  { variables, within, signal, onOutput, mayStart }: CommandOptions,
  as: As = "itself",
): Promise<Outcome> {
  const stdin = scriptOnStdin(script, variables, as);
  const over = new AbortController();
  const limit = systemClock
    .sleep(Math.min(within, longestTimer), AbortSignal.any([signal, over.signal]))
    .then(() => (signal.aborted ? "stopped waiting for it" : `still running after ${sayDuration(within)}`));
  try {
    const channel = await start(connected(), remoteCommand(as), limit);
    if (!channel) return notStarted(signal.aborted ? "stopped before" : `not within ${sayDuration(within)}`);
    await mayStart?.().catch((thrown: unknown) => {
      channel.close();
      throw thrown;
    });
    return await answer(channel, stdin, limit, onOutput);
  } catch (thrown) {
    if (thrown instanceof RotaError) throw thrown;
    return notStarted(printable(messageOf(thrown)));
  } finally {
    over.abort();
  }
}

const notStarted = (why: string): Outcome => ({ kind: "failed", why: `the command was not started: ${why}` });

/** Opens a channel that waits for its script: nothing runs before that is sent. Undefined at the limit. */
async function start(
  connecting: Promise<Client>,
  command: string,
  limit: Promise<string>,
): Promise<ClientChannel | undefined> {
  const opening = connecting.then(
    (client) =>
      new Promise<ClientChannel>((resolve, reject) => {
        client.exec(command, (error, channel) => (error ? reject(error) : resolve(channel)));
      }),
  );
  const first = await Promise.race([opening, limit]);
  if (typeof first !== "string") return first;
  opening.then((late) => late.close()).catch(() => {}); // told already: it was not started
  return undefined;
}

async function answer(
  channel: ClientChannel,
  stdin: string,
  limit: Promise<string>,
  onOutput: CommandOptions["onOutput"],
): Promise<Outcome> {
  const gather = (stream: Readable, name: "stdout" | "stderr"): (() => void) => {
    const lines = splitLines((text) => onOutput({ stream: name, text }));
    stream.on("data", lines.push);
    return lines.end;
  };
  const ends = [gather(channel, "stdout"), gather(channel.stderr, "stderr")];
  channel.on("error", () => {}); // unheard, it would end the process; 'close' tells the rest
  const ended = exited(channel);
  channel.end(stdin);

  const gaveUp = limit.then((why): Outcome => ({ kind: "unknown", why: `${why}; it may go on` }));
  const outcome = await Promise.race([ended, gaveUp]);
  for (const end of ends) end();
  channel.close();
  return outcome;
}

/** 'exit' comes as soon as the command has ended, 'close' with its last output, or the connection's end. */
function exited(channel: ClientChannel): Promise<Outcome> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    channel.once("exit", (code: number | null, signal?: string) => {
      // A plain timer: it bounds the network's tidying up, which nobody follows.
      timer = setTimeout(() => resolve(outcomeOf(code, signal)), lastOutput);
    });
    channel.once("close", (code?: number | null, signal?: string) => {
      clearTimeout(timer);
      resolve(outcomeOf(code, signal));
    });
  });
}

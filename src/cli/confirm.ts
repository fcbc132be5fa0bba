import { createInterface } from "node:readline/promises";
import { RotaError } from "../base/errors.ts";
import type { Io } from "./io.ts";
import { untouched } from "./refuse.ts";
import type { View } from "./views.ts";

export interface Ask {
  yes: boolean;
  force: boolean;
  /** The word to type for --force: the first node's name. */
  name: string;
  /** Ends the question, as a no. */
  stop?: AbortSignal;
}

/** A terminal is asked once, after the plan. Without one it goes on, but --force then needs --yes. */
export async function confirm({ yes, force, name, stop }: Ask, io: Io): Promise<void> {
  if (yes) return;
  if (!io.keyboard) {
    if (!force) return;
    throw new RotaError("USAGE", { problem: "--force without a terminal needs --yes", left: untouched });
  }
  const sure = force
    ? (await answerTo(`past the capacity guard: type ${name} to go on: `, io, stop)) === name
    : await isYes("go on? [y/N] ", io, stop);
  if (!sure) throw new RotaError("REFUSED", { problem: "not confirmed", left: untouched });
}

/** False where nobody can be asked. */
export const isYes = async (question: string, io: Io, stop?: AbortSignal): Promise<boolean> =>
  /^y(es)?$/i.test(await answerTo(question, io, stop));

/** What a person types; nothing after Ctrl-C, at the end of the input, or where there is no terminal. */
export async function answerTo(
  question: string,
  { keyboard, questions }: Io,
  stopped?: AbortSignal,
): Promise<string> {
  if (!keyboard || stopped?.aborted) return "";
  const asker = createInterface({ input: keyboard, output: questions });
  const stop = new AbortController();
  stopped?.addEventListener("abort", () => asker.close(), { once: true });
  asker.once("close", () => stop.abort());
  asker.once("SIGINT", () => asker.close());
  const answer = await asker.question(question, { signal: stop.signal }).catch(() => "");
  asker.close();
  return answer.trim();
}

/** Milliseconds: who has left the terminal must not keep the lease for ever. */
const patience = 600_000;

/** A question in the middle of a run. Without a terminal, with --yes or --json, or without an answer in time: no. */
export function askedBeside(
  view: Pick<View, "aside">,
  { yes, json }: { yes?: boolean | undefined; json?: boolean | undefined },
  stopped: AbortSignal,
  io: Io,
): (question: string) => Promise<boolean> {
  if (yes || json || !io.keyboard) return async () => false;
  return (question) =>
    view.aside(() => isYes(question, io, AbortSignal.any([stopped, AbortSignal.timeout(patience)])));
}

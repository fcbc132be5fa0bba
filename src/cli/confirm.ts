import { createInterface } from "node:readline/promises";
import { RotaError } from "../base/errors.ts";
import type { Io } from "./io.ts";

export interface Ask {
  yes: boolean;
  force: boolean;
  /** The word to type for --force: the first node's name. */
  name: string;
}

/** A terminal is asked once, after the plan. Without one it goes on, but --force then needs --yes. */
export async function confirm({ yes, force, name }: Ask, io: Io): Promise<void> {
  if (yes) return;
  if (!io.keyboard || !io.terminal) {
    if (!force) return;
    throw new RotaError("USAGE", {
      problem: "--force without a terminal needs --yes",
      left: "nothing was touched",
    });
  }
  const question = force ? `past the capacity guard: type ${name} to go on: ` : "go on? [y/N] ";
  const asker = createInterface({ input: io.keyboard, output: io.terminal });
  const stop = new AbortController();
  asker.once("close", () => stop.abort());
  asker.once("SIGINT", () => asker.close());
  const answer = await asker.question(question, { signal: stop.signal }).catch(() => "");
  asker.close();
  if (force ? answer.trim() === name : /^y(es)?$/i.test(answer.trim())) return;
  throw new RotaError("REFUSED", { problem: "not confirmed", left: "nothing was touched" });
}

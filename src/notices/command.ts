import type { Here } from "../rotation/ports.ts";
import { rotaBody } from "./body.ts";
import type { Notice } from "./notice.ts";
import type { Hurry } from "./retry.ts";
import { plainText } from "./words.ts";

/** Milliseconds that a command may take. */
const longestCommand = 30_000;

/** Runs it once: whether it may be run twice is its own affair. */
export async function tellCommand(
  script: string,
  notice: Notice,
  here: Here,
  { now }: Hurry,
): Promise<string | undefined> {
  let last = "";
  const outcome = await here.run(script, {
    variables: variablesOf(notice),
    within: longestCommand,
    signal: now,
    onOutput: ({ text }) => void (last = text.trim() ? text : last),
  });
  if (outcome.kind === "done") return undefined;
  if (now.aborted) return "still running when the wait was over";
  return last ? `${outcome.why}: ${last}` : outcome.why;
}

/** In its environment, never in its text. */
const variablesOf = (notice: Notice): Record<string, string> => ({
  ROTA_NOTICE: notice.kind,
  ROTA_RUN: notice.run,
  ROTA_COMMAND: notice.command,
  ROTA_FLEET: notice.fleet,
  ROTA_BY: notice.by,
  ROTA_REASON: notice.reason ?? "",
  ROTA_OUTCOME: notice.ended?.end ?? "",
  ROTA_TEXT: plainText(notice),
  ROTA_NOTICE_JSON: JSON.stringify(rotaBody(notice)),
});

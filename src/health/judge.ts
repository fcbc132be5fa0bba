import { printable } from "../base/quote.ts";
import type { Wanted } from "../rotation/ports.ts";
import type { StatusAnswer } from "./status.ts";

/** `why` reads as the end of "web3 is not well: …". */
export type Verdict = { good: true } | { good: false; why: string };

/** Whether an answer is what the pool's check asks for: the status, and the text that must occur in the body. */
export function judge({ status, orStatus, body }: Wanted, answer: StatusAnswer): Verdict {
  if (answer.kind === "silent") return { good: false, why: answer.why };
  if (answer.status !== status && answer.status !== orStatus) {
    const wanted = [status, ...(orStatus === undefined ? [] : [orStatus])].join(" or ");
    return { good: false, why: `answered ${answer.status} instead of ${wanted}` };
  }
  if (body !== undefined && !answer.body.includes(body)) {
    return { good: false, why: `the body lacks ${cut(body)}: ${cut(answer.body) || "it is empty"}` };
  }
  return { good: true };
}

/** On one line, 80 characters at most. */
function cut(text: string): string {
  const shown = printable(text.slice(0, 1_000).replaceAll(/\s+/g, " ").trim());
  // Not between the two halves of one character.
  return shown.length > 80 ? `${shown.slice(0, 79).replace(/[\ud800-\udbff]$/, "")}…` : shown;
}

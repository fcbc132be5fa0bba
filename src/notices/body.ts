/** A notice as rota's own JSON: the form that Standard Webhooks recommends, type, timestamp and data. Pure. */
import type { Notice } from "./notice.ts";
import { plainText } from "./words.ts";

export function rotaBody(notice: Notice): object {
  const { kind, at, ...data } = notice;
  return { type: `run.${kind}`, timestamp: at, text: plainText(notice), data };
}

/** One try to post a notice. The status is the answer: no redirect is followed, and a body is read only to say why not. */
import http from "node:http";
import https from "node:https";
import type { Readable } from "node:stream";
import { create } from "axios";
import { sayDuration } from "../base/duration.ts";
import { printable } from "../base/quote.ts";
import { longestBody, whyOf } from "../health/status.ts";

export type Posted =
  | { taken: true }
  | {
      taken: false;
      why: string;
      /** Whether another try may have more luck. */
      again: boolean;
      /** Milliseconds that the other side wants us to wait before it. */
      after?: number | undefined;
    };

/** Milliseconds for one try, from the look-up of the name to the status. */
export const longestTry = 10_000;

/** Characters of a refusal that are told: `invalid_token`. */
const longestReason = 100;

/** HTTPS_PROXY, HTTP_PROXY and NO_PROXY are obeyed, unlike where a node is asked: the way out of a company often is one. */
const client = create({
  adapter: "http",
  httpAgent: new http.Agent({ keepAlive: false }),
  httpsAgent: new https.Agent({ keepAlive: false }),
  headers: { "User-Agent": "rota", "Content-Type": "application/json", Accept: "*/*" },
  maxRedirects: 0,
  validateStatus: () => true,
  decompress: false,
  responseType: "stream",
});

/** Never throws for what the network does. */
export async function post(
  url: string,
  body: Buffer,
  headers: Record<string, string>,
  signal: AbortSignal,
  within = longestTry,
): Promise<Posted> {
  // axios' own timeout only counts silence: a byte now and then would hold us for ever.
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  const deadline = setTimeout(onAbort, within);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const answer = await client.post<Readable>(url, body, { headers, signal: stop.signal });
    const { status, data } = answer;
    if (status >= 200 && status < 300) {
      data.on("error", () => undefined).destroy(); // it has it, whatever else it would say, and however slowly
      return { taken: true };
    }
    const said = await beginningOf(data);
    return {
      taken: false,
      why: `answered ${status}${status >= 300 && status < 400 ? ", a redirect, which is not followed" : ""}${said ? `: ${said}` : ""}`,
      again: status >= 500 || status === 429 || status === 408,
      after: retryAfter(String(answer.headers["retry-after"] ?? "")),
    };
  } catch (thrown) {
    if (signal.aborted) return { taken: false, why: "no answer yet when the wait was over", again: false };
    if (stop.signal.aborted)
      return { taken: false, why: `no answer within ${sayDuration(within)}`, again: true };
    return { taken: false, why: whyOf(thrown, longestBody), again: true };
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener("abort", onAbort);
  }
}

/** What a refusal says first; leaving the loop ends the connection. */
async function beginningOf(data: Readable): Promise<string> {
  let text = "";
  try {
    for await (const chunk of data) {
      text += String(chunk);
      if (text.length >= longestReason) break;
    }
  } catch {
    // The status is known; its reason was not sent, or not in time.
  }
  return printable(text.slice(0, longestReason).replaceAll(/\s+/g, " ").trim());
}

/** Milliseconds that are waited at most, whatever is asked for. */
const longestAfter = 60_000;

/** Seconds, or a date (RFC 9110 §10.2.3). */
export function retryAfter(text: string, now = Date.now()): number | undefined {
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), longestAfter);
}

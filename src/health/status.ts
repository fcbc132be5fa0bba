import http from "node:http";
import https from "node:https";
import { create, isAxiosError } from "axios";
import { sayDuration } from "../base/duration.ts";
import { messageOf } from "../base/errors.ts";
import { printable } from "../base/quote.ts";

/** Characters of a body that are read; a longer one counts as no answer. */
export const longestBody = 65_536;

export type StatusAnswer =
  { kind: "answered"; status: number; body: string } | { kind: "silent"; why: string };

export interface AskOptions {
  /** Milliseconds for the whole answer, from the look-up of the name to the last byte of the body. */
  within: number;
  signal: AbortSignal;
}

export interface StatusClient {
  /** One GET on a connection of its own. Never throws for what the network does. */
  ask(url: string, options: AskOptions): Promise<StatusAnswer>;
  /** The same with a POST whose body is empty. */
  post(url: string, options: AskOptions): Promise<StatusAnswer>;
}

/**
 * The one way to ask an app how it is. What it says itself is the answer: no redirect is followed, no proxy
 * asked, and each status counts.
 *
 * @param longest characters of a body; a longer one counts as no answer
 */
export function createStatusClient(longest = longestBody): StatusClient {
  const client = create({
    adapter: "http",
    httpAgent: new http.Agent({ keepAlive: false }), // Node's own agent would keep talking to an old process
    httpsAgent: new https.Agent({ keepAlive: false }),
    headers: { "User-Agent": "rota", Accept: "*/*", "Accept-Encoding": "identity" },
    maxRedirects: 0,
    proxy: false,
    validateStatus: () => true,
    maxContentLength: longest,
    responseType: "text",
    transformResponse: (body: unknown) => body, // else a body that looks like JSON is parsed
  });
  const send = async (
    method: "GET" | "POST",
    url: string,
    { within, signal }: AskOptions,
  ): Promise<StatusAnswer> => {
    // axios' own timeout only counts silence: a byte now and then would hold us for ever.
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    const deadline = setTimeout(onAbort, within);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      const { status, data } = await client.request<string>({ method, url, signal: stop.signal });
      return { kind: "answered", status, body: data };
    } catch (thrown) {
      if (signal.aborted) return { kind: "silent", why: "stopped waiting for the answer" };
      if (stop.signal.aborted) return { kind: "silent", why: `no answer within ${sayDuration(within)}` };
      return { kind: "silent", why: whyOf(thrown, longest) };
    } finally {
      clearTimeout(deadline);
      signal.removeEventListener("abort", onAbort);
    }
  };
  return {
    ask: (url, options) => send("GET", url, options),
    post: (url, options) => send("POST", url, options),
  };
}

const said: Record<string, string> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was cut",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to its network",
  ENOTFOUND: "name not found",
  EAI_AGAIN: "the name server does not answer",
  ETIMEDOUT: "no answer",
};

/** In words, and never with the URL. */
export function whyOf(thrown: unknown, longest: number): string {
  const message = printable(messageOf(thrown)).slice(0, 200);
  if (message.includes("maxContentLength")) return `body longer than ${longest / 1024} KB`;
  const code = isAxiosError(thrown) ? thrown.code : undefined;
  if (message.includes("has been aborted")) return "the connection was cut in the middle of the answer";
  if (code?.startsWith("HPE_")) return `the answer is not HTTP (${message})`;
  return (code && said[code]) || message;
}

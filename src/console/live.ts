/** Server-sent events (WHATWG HTML §9.2): what changes, to one page. */
import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import type { ConsoleParts, Env } from "./app.ts";

/** Milliseconds between two signs of life: a proxy would end a stream that is silent. */
const pulse = 15_000;
/** Messages that a page may be behind; one that does not read comes again by itself, and is told all. */
const mostBehind = 50;

export function liveStream(at: Context<Env>, { feed, starter }: ConsoleParts): Response {
  at.header("x-accel-buffering", "no"); // nginx would hold it back
  return streamSSE(at, async (stream) => {
    let [behind, done] = [0, () => {}];
    const over = new Promise<void>((resolve) => (done = resolve));
    const send = (event: string, data: string): void => {
      if (behind > mostBehind) return done();
      behind += 1;
      void stream.writeSSE({ event, data }).finally(() => (behind -= 1));
    };
    const unwatch = feed.watch((message) => send("change", message));
    let begun = "";
    const tellBegun = (): void => {
      const now = JSON.stringify(starter.begun());
      if (now !== begun) send("begun", (begun = now));
    };
    tellBegun();
    const looks = setInterval(tellBegun, 300);
    const beats = setInterval(() => send("pulse", ""), pulse);
    stream.onAbort(() => done());
    try {
      await over;
    } finally {
      clearInterval(looks);
      clearInterval(beats);
      unwatch();
    }
  });
}

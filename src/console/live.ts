/** What changes, to one page, for as long as its token is one. */
import type { Context } from "hono";
import type { ConsoleParts, Env } from "./app.ts";
import type { Frame } from "./feed.ts";

/** Milliseconds between two signs of life, as a proxy would end a stream that is silent; then its token is looked at, too. */
const pulse = 5_000;
/** Bytes that a page may be behind; one that does not read is let go, comes again by itself, and is told all. */
const mostBehind = 1_000_000;

const sign = new TextEncoder().encode(":\n\n");

export function liveStream(at: Context<Env>, { feed, people }: ConsoleParts): Response {
  const token = at.get("token");
  let end = (): void => {};
  const body = new ReadableStream<Frame>(
    {
      start(controller) {
        const send = (frame: Frame): void => {
          if ((controller.desiredSize ?? 0) >= -mostBehind) controller.enqueue(frame);
          else at.env.hangUp(); // which cancels the stream
        };
        const beat = async (): Promise<void> => {
          // A journal that does not answer shuts nobody out.
          const isIn = await people.whose(token).catch(() => true);
          if (isIn) return send(sign);
          end();
          controller.close();
        };
        const beats = setInterval(() => void beat(), pulse);
        const unwatch = feed.watch(send);
        end = () => {
          clearInterval(beats);
          unwatch();
        };
      },
      cancel: () => end(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: 0 }),
  );
  return at.body(body, 200, {
    "content-type": "text/event-stream",
    "x-accel-buffering": "no", // nginx would hold it back
  });
}

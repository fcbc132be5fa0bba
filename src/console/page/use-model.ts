import { useEffect, useState } from "preact/hooks";
import type { Message } from "../changes.ts";
import { Refused, ask } from "./ask.ts";
import { type Model, changed, nothing } from "./model.ts";

/** Milliseconds until a stream that the browser gave up is tried again. */
const rest = 3_000;

/** What the server tells, for as long as the page is there. */
export function useModel(onGone: () => void): Model {
  const [model, setModel] = useState<Model>(nothing);
  useEffect(() => {
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const open = (): void => {
      source = new EventSource("/api/live");
      source.addEventListener("message", ({ data }: MessageEvent<string>) => {
        const message: Message = JSON.parse(data);
        setModel((before) => changed(before, message));
      });
      source.addEventListener("error", () => {
        setModel((before) => ({ ...before, connected: false }));
        // The browser tries again by itself, but not after an answer such as 502 of a proxy.
        const isOver = source?.readyState === EventSource.CLOSED;
        if (isOver) timer = setTimeout(open, rest);
        // A token that was removed, or has run out, is no bad connection.
        ask("/api/me").catch((thrown: unknown) => {
          if (thrown instanceof Refused && thrown.refusal.status === 401) onGone();
        });
      });
    };
    open();
    return () => {
      clearTimeout(timer);
      source?.close();
    };
  }, []);
  return model;
}

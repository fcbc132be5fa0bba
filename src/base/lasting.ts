import type { Clock } from "./clock.ts";

/** An answer that stands for so many milliseconds after it was asked for, and is shared by all who ask meanwhile. */
export function lasting<T>(milliseconds: number, ask: () => Promise<T>, clock: Clock): () => Promise<T> {
  let kept: { until: number; answer: Promise<T> } | undefined;
  return () => {
    const now = clock.now();
    if (!kept || kept.until <= now) kept = { until: now + milliseconds, answer: ask() };
    return kept.answer;
  };
}

/** SIGINT, SIGTERM or SIGHUP once: after this node. Twice, or when the grace is over: now. */
export interface Stop extends Disposable {
  afterThisNode: AbortSignal;
  now: AbortSignal;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** @param grace Milliseconds after the first signal; undefined for as long as the node takes. */
export function stopOnSignals(grace?: number): Stop {
  const first = new AbortController();
  const second = new AbortController();
  let over: NodeJS.Timeout | undefined;
  const heard = (): void => {
    if (first.signal.aborted) return second.abort();
    first.abort();
    if (grace !== undefined) over = setTimeout(() => second.abort(), grace);
  };
  for (const signal of signals) process.on(signal, heard);
  return {
    afterThisNode: first.signal,
    now: second.signal,
    [Symbol.dispose]() {
      clearTimeout(over);
      for (const signal of signals) process.off(signal, heard);
    },
  };
}

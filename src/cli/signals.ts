/** SIGINT, SIGTERM or SIGHUP once: after this node. Twice: now. */
export interface Stop extends Disposable {
  afterThisNode: AbortSignal;
  now: AbortSignal;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export function stopOnSignals(): Stop {
  const first = new AbortController();
  const second = new AbortController();
  const heard = (): void => (first.signal.aborted ? second : first).abort();
  for (const signal of signals) process.on(signal, heard);
  return {
    afterThisNode: first.signal,
    now: second.signal,
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, heard);
    },
  };
}

/** SIGINT, SIGTERM or SIGHUP once: after this node. Twice: now. */
export interface Stop extends Disposable {
  afterThisNode: AbortSignal;
  now: AbortSignal;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export function stopOnSignals(onStop: (how: "after this node" | "now") => void): Stop {
  const first = new AbortController();
  const second = new AbortController();
  const heard = (): void => {
    if (second.signal.aborted) return;
    const controller = first.signal.aborted ? second : first;
    onStop(controller === first ? "after this node" : "now");
    controller.abort();
  };
  for (const signal of signals) process.on(signal, heard);
  return {
    afterThisNode: first.signal,
    now: second.signal,
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, heard);
    },
  };
}

/** The workers of a node, as its board shows them. Pure. */
import type { WorkerNews } from "./events.ts";

export interface WorkersState {
  of: number;
  /** The old release is being put back. */
  goesBack: boolean;
  /** Old ones that have ended. */
  oldGone: number;
  /** Those that something was heard of, and that run. */
  seen: ReadonlyMap<number, WorkerState>;
}

interface WorkerState {
  state: WorkerNews["state"];
  isNew: boolean;
  /** When it was heard, as the event's time, and how long after its start. */
  at: string;
  sinceMs: number;
}

/** Whatever a node tells, no more than these are kept. */
const most = 2_000;

export function withWorker(before: WorkersState | undefined, news: WorkerNews, at: string): WorkersState {
  const goesBack = news.goesBack === true;
  // On the way back all are judged anew.
  const { oldGone, seen } = before?.goesBack === goesBack ? before : { oldGone: 0, seen: new Map() };
  const known = seen.get(news.pid);
  const isNew = news.isNew ?? known?.isNew ?? false;
  const next = new Map(seen);
  next.delete(news.pid);
  if (news.state !== "gone" && next.size < most)
    next.set(news.pid, { state: news.state, isNew, at, sinceMs: news.sinceMs ?? 0 });
  return {
    of: news.of,
    goesBack,
    oldGone: news.state === "gone" && !isNew ? oldGone + 1 : oldGone,
    seen: next,
  };
}

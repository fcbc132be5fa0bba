import type { Watching } from "../journal/watching.ts";
import { sayAtStep } from "../console/view.ts";
import type { View } from "./views.ts";

/** Milliseconds between two times that those who look on are told what a run waits for. */
const every = 1_000;

/**
 * The same view, whose waits others can see too: in the journal, at most once a second and only what changed. A journal
 * that fails says so where it matters; here nothing is lost.
 */
export function shownToOthers(view: View, journal: Watching, run: string): View & AsyncDisposable {
  const seen = new Map<string, string>();
  let [told, telling] = ["{}", Promise.resolve()];
  const tell = (): void => {
    const now = JSON.stringify(Object.fromEntries(seen));
    if (now === told) return;
    told = now;
    telling = journal.tellLive(run, Object.fromEntries(seen)).catch(() => undefined);
  };
  const timer = setInterval(tell, every).unref();
  return {
    ...view,
    emit: (event) => {
      view.emit(event);
      if (event.type === "waiting") seen.set(event.node, sayAtStep(event.step, event.saw));
      if (event.type === "output") seen.set(event.node, sayAtStep(event.step, event.text));
      if (event.type === "step ended" || event.type === "node ended") seen.delete(event.node);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await telling;
      await journal.endLive(run).catch(() => undefined);
    },
  };
}

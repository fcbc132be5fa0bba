/** The workers of one node while they are replaced. Pure; marks differ in shape, not in colour alone. */
import { sayDuration } from "../base/duration.ts";
import type { WorkerNews } from "../events/events.ts";
import type { WorkersState } from "../events/workers.ts";
import type { Paint } from "./board.ts";
import { fit } from "./width.ts";

/** "    workers ●●◐○ 2 of 4 new · 8123 booting 1.2s"; without the marks where there is no room for them. */
export function workersLine(workers: WorkersState, now: number, width: number, paint: Paint): string {
  const said = [sayCount(workers), sayOne(workers, now)].filter(Boolean).join(" · ");
  const marks = marksOf(workers);
  const whole = `    workers ${marks} ${said}`;
  const line = whole.length <= width ? whole : `    workers ${said}`;
  const isBad = [...workers.seen.values()].some(({ state }) => state === "failed");
  return paint(isBad ? "bad" : "busy", fit(line, width));
}

/** Of those that run; the last is one more than there shall be while a spare boots, or an old one ends. */
function marksOf({ of, seen, oldGone, goesBack }: WorkersState): string {
  const all = [...seen.values()];
  const count = (state: WorkerNews["state"], isNew: boolean): number =>
    all.filter((one) => one.state === state && one.isNew === isNew).length;
  const leaving = count("leaving", false);
  // Of the way back nobody knows how many are still of the old release; those are not among the ones seen.
  const old = goesBack ? 0 : of - oldGone - leaving;
  const marks: [string, number][] = [
    ["●", count("ready", true)],
    ["◐", count("booting", true)],
    ["✗", count("failed", true)],
    ["○", old],
    ["◌", leaving + count("leaving", true)],
  ];
  return marks.map(([mark, number]) => mark.repeat(Math.max(0, number))).join("");
}

function sayCount({ of, seen, goesBack }: WorkersState): string {
  if (goesBack) return "back to the old release";
  const ready = [...seen.values()].filter(({ state, isNew }) => isNew && state === "ready").length;
  return `${Math.min(ready, of)} of ${of} new`;
}

/** The one that is waited for longest. */
function sayOne({ seen }: WorkersState, now: number): string {
  for (const state of ["failed", "booting", "leaving"] as const) {
    const [first] = [...seen].filter(([, worker]) => worker.state === state);
    if (!first) continue;
    const [pid, { at, sinceMs }] = first;
    const ms = sinceMs + Math.max(0, now - Date.parse(at));
    return state === "failed" ? `${pid} FAILED` : `${pid} ${words[state]} ${sayDuration(ms)}`;
  }
  return "";
}

const words = {
  booting: "booting",
  ready: "ready",
  failed: "FAILED",
  leaving: "ending",
  gone: "ended",
} satisfies Record<WorkerNews["state"], string>;

/** "worker 8123 ready 1.2s after its start" */
export function sayWorker({ pid, state, sinceMs, isNew, release, goesBack }: WorkerNews): string {
  const since = sinceMs === undefined ? "" : ` ${sayDuration(sinceMs)} after its start`;
  const runs = state === "ready" && release !== undefined ? `, runs ${release}` : "";
  const old = isNew === false ? ", an old one" : "";
  return `worker ${pid} ${words[state]}${since}${runs}${old}${goesBack ? ", on the way back" : ""}`;
}

/** Who is told of runs. Beside them, never in their way: nothing here throws into a run, and no run waits for it. */
import { systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Redact } from "../base/redact.ts";
import type { Event } from "../events/events.ts";
import type { RunState } from "../events/state.ts";
import type { NoticeTarget } from "../inventory/notices.ts";
import type { Here } from "../rotation/ports.ts";
import { type Lane, lane } from "./lane.ts";
import { noticesOf } from "./notice.ts";
import { type Target, type Unusable, targetOf } from "./targets.ts";

export interface Notices {
  /** Targets that can't be told anything, and why. */
  unusable: string[];
  /** Told of each event as it happens. Returns at once, and never throws. */
  hear(event: Event, state: RunState): void;
  /** Waits, until the signal, for what is on its way. @returns what could not be told, a line for each target */
  end(now: AbortSignal): Promise<string[]>;
}

export function openNotices(
  wanted: NoticeTarget[],
  here: Here,
  env: Record<string, string | undefined>,
  redact: Redact,
): Notices {
  const soon = new AbortController();
  const now = new AbortController();
  const hurry = { clock: systemClock, soon: soon.signal, now: now.signal };
  const all = wanted.map((one, i) => targetOf(one, i + 1, here, env));
  const lanes = all.filter(isTarget).map((target) => ({
    target,
    lane: lane((notice) => target.tell(notice, hurry), hurry),
  }));
  const faults: string[] = [];
  let started: Extract<Event, { type: "run started" }> | undefined;
  let isTold = false;

  function tell(event: Event, state: RunState): void {
    if (event.type === "run started") {
      started = event;
      isTold = false;
    }
    if (!started) return;
    for (const notice of noticesOf(event, state, started, isTold, redact)) {
      isTold ||= notice.kind === "failure";
      for (const { target, lane: its } of lanes) if (target.on.has(notice.kind)) its.add(notice);
    }
  }

  return {
    unusable: all.flatMap((one) => (isTarget(one) ? [] : [redact(`${one.name}: ${one.why}`)])),
    hear(event, state) {
      try {
        if (lanes.length > 0) tell(event, state);
      } catch (thrown) {
        faults.push(redact(`a notice could not be made: ${messageOf(thrown)}`)); // a defect here is none of the run's
      }
    },
    async end(stop) {
      soon.abort();
      const onStop = (): void => now.abort();
      stop.addEventListener("abort", onStop, { once: true });
      if (stop.aborted) onStop();
      await Promise.all(lanes.map(({ lane: its }) => its.idle()));
      stop.removeEventListener("abort", onStop);
      return [
        ...new Set(faults),
        ...lanes.flatMap(({ target, lane: its }) => sayUntold(target, its, redact)),
      ];
    },
  };
}

const isTarget = (one: Target | Unusable): one is Target => "tell" in one;

function sayUntold({ name }: Target, { untold, all }: Lane, redact: Redact): string[] {
  const [first] = untold;
  if (!first) return [];
  const kinds = [...new Set(untold.map(({ kind }) => kind))].join(", ");
  return [`${name} was not told ${untold.length} of ${all} (${kinds}): ${redact(first.why)}`];
}

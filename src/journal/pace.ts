import type { Clock } from "../base/clock.ts";
import { untilTime } from "../base/jointly.ts";

/** Of the time: a commit to a local file waits for the disk, and everything else in this process with it. */
const share = 0.2;
/** Milliseconds on top of that at once: what one node writes, on a slow disk, is not held up. */
const burst = 40;
/** Milliseconds that a write waits at most for its turn. */
const longest = 50;

export interface Pace {
  /** Ends when the next commit may begin. */
  turn(): Promise<void>;
  /** A commit, whose time counts. */
  spend<T>(commit: () => Promise<T>): Promise<T>;
}

/** So that many nodes' writes are gathered while the disk has its rest, and are committed as one. */
export function pace(clock: Clock): Pace {
  let [owed, since] = [0, clock.now()];
  const owedNow = (): number => {
    const now = clock.now();
    owed = Math.max(0, owed - share * (now - since));
    since = now;
    return owed;
  };
  return {
    turn: () => untilTime(clock, clock.now() + Math.min(longest, (owedNow() - burst) / share)),
    async spend(commit) {
      owedNow();
      const began = clock.now();
      try {
        return await commit();
      } finally {
        owed += clock.now() - began;
      }
    },
  };
}

import type { Clock } from "./clock.ts";
import { RotaError } from "./errors.ts";
import { sayDuration } from "./duration.ts";

/** What one look at the world showed. */
export type Seen<T> =
  | { done: true; value: T }
  | {
      done: false;
      saw: string;
      /** Milliseconds: before then a look would show nothing that decides. */
      notBefore?: number;
    };

export const yes = <T>(value: T): Seen<T> => ({ done: true, value });
/** `saw` says what is still missing, as a person would want to read it: "9 sessions left (lb1: 9)". */
export const notYet = (saw: string, notBefore?: number): Seen<never> => ({
  done: false,
  saw,
  ...(notBefore === undefined ? {} : { notBefore }),
});

export interface PollOptions<T> {
  /** What is waited for, as the words after "waiting for": "the sessions of web3 to end". */
  what: string;
  /** Milliseconds between two looks at first; a wait that lasts pauses for longer, a tenth of a second at most. */
  every: number;
  /** Milliseconds until the wait is given up. The last look may end a little later. */
  within: number;
  clock: Clock;
  signal: AbortSignal;
  probe: () => Promise<Seen<T>>;
  /** Told each time that what is seen changes, so that a person sees the wait move. */
  onSaw?: (saw: string) => void;
}

/**
 * The one way to wait. Looks at once, then every so often, until the probe says yes.
 *
 * @throws RotaError WAIT_LIMIT with what was last seen; INTERRUPTED when the signal is aborted;
 *         whatever the probe throws, as it is.
 */
export async function poll<T>({
  what,
  every,
  within,
  clock,
  signal,
  probe,
  onSaw,
}: PollOptions<T>): Promise<T> {
  const started = clock.now();
  let last: string | undefined;
  for (;;) {
    if (signal.aborted) throw new RotaError("INTERRUPTED", { problem: `stopped while waiting for ${what}` });
    const seen = await probe();
    if (seen.done) return seen.value;
    if (seen.saw !== last) onSaw?.(seen.saw);
    last = seen.saw;
    const left = started + within - clock.now();
    if (left <= 0) {
      throw new RotaError("WAIT_LIMIT", {
        problem: `waited ${sayDuration(within)} for ${what}: ${last}`,
      });
    }
    const pause = Math.max(
      pauseAfter(clock.now() - started, every),
      Math.min(mostPause, seen.notBefore ?? 0),
    );
    await clock.sleep(Math.min(pause, left), signal);
  }
}

/** Milliseconds: nobody is kept waiting for longer than this, and a reload is noticed within it. */
const mostPause = 100;
/** Of the time that it has lasted: what a wait may last longer because it looks less often. */
const slack = 0.04;

/** A wait that lasts is looked at less often: a boot of a minute is not worth forty looks a second. */
const pauseAfter = (waited: number, every: number): number =>
  Math.max(every, Math.min(mostPause, waited * slack));

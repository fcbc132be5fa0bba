import { setTimeout as wait } from "node:timers/promises";

/** Every wait goes through a clock, so that tests move time themselves. Milliseconds throughout. */
export interface Clock {
  /** Monotonic milliseconds; only differences mean anything. */
  now(): number;
  /** Wall-clock time, for people and the journal. */
  today(): Date;
  /** Ends early, without an error, when the signal is aborted. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  today: () => new Date(),
  async sleep(milliseconds, signal) {
    await wait(milliseconds, undefined, signal ? { signal } : {}).catch((thrown: unknown) => {
      if (!signal?.aborted) throw thrown;
    });
  },
};

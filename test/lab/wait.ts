import { systemClock } from "../../src/base/clock.ts";
import { poll, type Seen } from "../../src/base/poll.ts";

const { signal } = new AbortController(); // nobody interrupts a lab; every wait has its own limit

/** Waits, at most so many milliseconds, until the probe says yes. `what` completes "waiting for". */
export const waitFor = <T>(
  what: string,
  within: number,
  probe: () => Promise<Seen<T>>,
  every = 20,
): Promise<T> => poll({ what, within, every, probe, clock: systemClock, signal });

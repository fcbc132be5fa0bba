import type { Clock } from "../base/clock.ts";
import type { Posted } from "./post.ts";

/** When tries and waits end. */
export interface Hurry {
  clock: Clock;
  /** Nothing more is to come: what only waits for a better moment is done now. */
  soon: AbortSignal;
  /** Over: what is on its way is given up. */
  now: AbortSignal;
}

/** Milliseconds between two tries. */
export const pauses = [500, 2_000, 8_000, 30_000];

/** Milliseconds, once somebody waits. */
const shortPause = 1_000;

/** Tries again where that may help. @returns why it was given up; undefined where it was taken */
export async function untilTaken(attempt: () => Promise<Posted>, hurry: Hurry): Promise<string | undefined> {
  for (let tried = 1; ; tried += 1) {
    const posted = await attempt();
    if (posted.taken) return undefined;
    const pause = pauses[tried - 1];
    if (!posted.again || pause === undefined || hurry.now.aborted) return sayTries(posted.why, tried);
    await breather(pause, posted.after, hurry);
    if (hurry.now.aborted) return sayTries(posted.why, tried);
  }
}

const sayTries = (why: string, tried: number): string => (tried === 1 ? why : `${why} (${tried} tries)`);

/** What the other side asks for is kept; our own pause may be cut short. */
async function breather(
  pause: number,
  after: number | undefined,
  { clock, soon, now }: Hurry,
): Promise<void> {
  if (after !== undefined) return clock.sleep(Math.max(after, shortPause), now);
  if (soon.aborted) return clock.sleep(Math.min(pause, shortPause), now);
  await clock.sleep(pause, AbortSignal.any([soon, now]));
}

import { systemClock } from "../base/clock.ts";
import { RotaError } from "../base/errors.ts";
import { notYet, poll, yes } from "../base/poll.ts";
import type { Emit } from "../events/events.ts";
import type { Known } from "../rotation/records.ts";

/**
 * Returns at once where nobody paused the run; else when it is resumed, or a signal says to stop.
 *
 * @param where What a command needs to find the same inventory: " -i FILE", or nothing
 */
export async function untilNotPaused(
  known: Known,
  run: string,
  where: string,
  stop: AbortSignal,
  emit: Emit,
): Promise<void> {
  await poll({
    what: `run ${run} to be resumed`,
    every: 500,
    within: Infinity,
    clock: systemClock,
    signal: stop,
    probe: async () => {
      const by = await known.pausedBy(run);
      return by === undefined
        ? yes(undefined)
        : notYet(`paused by ${by}; rota resume ${run}${where} goes on`);
    },
    onSaw: (text) => emit({ type: "notice", text }),
  }).catch((thrown: unknown) => {
    // The rollout sees the signal itself.
    if (!(thrown instanceof RotaError && thrown.code === "INTERRUPTED")) throw thrown;
  });
}

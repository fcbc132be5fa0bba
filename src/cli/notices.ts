/** The notices of a command: heard while it works, waited for, shortly, when all else is done. */
import { dirname, resolve } from "node:path";
import { systemClock } from "../base/clock.ts";
import { sayDuration } from "../base/duration.ts";
import type { Fleet } from "../inventory/fleet.ts";
import { openNotices } from "../notices/notices.ts";
import { thisMachineIn } from "../remote/here.ts";
import type { Io } from "./io.ts";
import type { Stop } from "./signals.ts";
import { redactorOf } from "./variables.ts";
import type { Heard } from "./views.ts";

/** Milliseconds at the end, for all targets together. */
const patience = 10_000;
/** Where a person, or a CI system, could not wait for the run either. */
const lastMoment = 2_000;
/** A wait that is shorter is not worth a word. */
const unsaid = 500;

export interface Noticing extends AsyncDisposable {
  hear: Heard;
}

/** Disposed after the lease and the journal: nobody waits for the fleet because somebody is told of it. */
export function noticesFor(fleet: Fleet, stop: Stop, io: Io): Noticing {
  const here = thisMachineIn(resolve(io.cwd, dirname(fleet.file)), io.env);
  const notices = openNotices(fleet.notices, here, io.env, redactorOf(fleet, io.env));
  let heard = false;
  return {
    hear(event, state) {
      if (!heard) for (const line of notices.unusable) io.err(`${line}; nobody is told there`);
      heard = true;
      notices.hear(event, state);
    },
    async [Symbol.asyncDispose]() {
      if (!heard) return;
      const { afterThisNode, now } = stop;
      const within = now.aborted ? lastMoment : patience;
      const limit = new AbortController();
      const over = new AbortController();
      const untold = notices.end(limit.signal).finally(() => over.abort());
      // The next signal, whichever it is.
      const next = now.aborted ? [] : [afterThisNode.aborted ? now : afterThisNode];
      const ended = AbortSignal.any([over.signal, ...next]);
      await systemClock.sleep(unsaid, ended);
      if (!ended.aborted) io.err(`waiting for notices, ${sayDuration(within)} at most; Ctrl-C ends that`);
      await systemClock.sleep(within - unsaid, ended);
      limit.abort();
      for (const line of await untold) io.err(`rota: ${line}`);
    },
  };
}

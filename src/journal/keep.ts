import type { Clock } from "../base/clock.ts";
import { RotaError } from "../base/errors.ts";
import type { Journal } from "../rotation/records.ts";
import type { OpenJournal } from "./journal.ts";
import { leaseLasts } from "./lease.ts";
import { lost } from "./writes.ts";

/** The right to change a fleet, kept up for as long as this process lives and the journal answers. */
export interface Lease extends AsyncDisposable {
  /** What its holder may write. */
  journal: Journal;
  /** Aborted when it is somebody else's, or could not be renewed in time. */
  lost: AbortSignal;
  /** Before each act on the world: one question to the journal, a renewal where the last one is old. @throws RotaError LEASE_LOST, JOURNAL */
  mustHold(): Promise<void>;
}

/** Milliseconds. */
const renewEvery = 10_000;
/** A journal that does not answer for a moment stops nobody whose last renewal is younger than this. */
const fresh = 10_000;

export function keepLease(open: OpenJournal, fleet: string, epoch: number, clock: Clock): Lease {
  const gone = new AbortController();
  let renewed = moment(clock);

  async function renewNow(): Promise<void> {
    const asked = moment(clock);
    const ours = await open.renew(fleet, epoch);
    if (ours) renewed = asked;
    else gone.abort();
  }

  /** After a renewal a moment ago there are still seconds in which nobody else can have it, but by force. */
  async function lookNow(): Promise<void> {
    if (!(await open.holds(fleet, epoch))) gone.abort();
  }

  /** A journal that does not answer for a moment is asked again, as long as the lease can still be ours. */
  async function beat(): Promise<void> {
    await renewNow().catch(() => {
      if (since(renewed, clock) > leaseLasts) gone.abort();
    });
  }

  const heart = setInterval(() => void beat(), renewEvery);
  heart.unref();
  return {
    journal: open.under(fleet, epoch),
    lost: gone.signal,
    async mustHold() {
      if (!gone.signal.aborted) {
        const isFresh = (): boolean => since(renewed, clock) <= fresh;
        if (isFresh()) await lookNow().catch(() => undefined);
        // Also where it took so long to look that what was seen says nothing any more.
        if (!gone.signal.aborted && !isFresh())
          await renewNow().catch((thrown: unknown) => {
            if (!isFresh()) throw thrown;
          });
      }
      if (gone.signal.aborted) throw lost(fleet);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(heart);
      // It expires by itself; whoever waits need not.
      await open.release(fleet, epoch).catch((thrown: unknown) => {
        if (!(thrown instanceof RotaError)) throw thrown;
      });
    },
  };
}

/** Both clocks: the monotonic one stands still while a laptop sleeps, the other may be set. */
interface Moment {
  monotonic: number;
  wall: number;
}

const moment = (clock: Clock): Moment => ({ monotonic: clock.now(), wall: clock.today().getTime() });

const since = ({ monotonic, wall }: Moment, clock: Clock): number =>
  Math.max(clock.now() - monotonic, Math.abs(clock.today().getTime() - wall));

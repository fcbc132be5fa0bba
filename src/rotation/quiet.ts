/** When a node counts as idle. Pure. */
import type { Clock } from "../base/clock.ts";
import { type Seen, notYet, yes } from "../base/poll.ts";
import { samePlace, sayPlace } from "./place.ts";
import type { Activity } from "./ports.ts";

/**
 * How long a node must show nothing before it counts as idle. HAProxy's answer to `drain` is no barrier:
 * a thread that chose the server just before may still send a request, measured up to 16 ms later.
 */
const window = 250;
const samples = 3;
/**
 * A request whose connection is tried again is in no counter for a second, the pause before the next try; but it is
 * counted as tried again when that pause begins, each time (seen on 2.6 and 3.2). So where nobody was counted for
 * longer than that, nobody is in one.
 */
const retryPause = 1_200;

/** What was seen at one look: at the current workers, and at those that a reload replaced. */
export interface Look {
  seen: Activity[];
  old: Activity[];
}

/** What was counted some time before, for whoever need not watch a whole pause then. */
export interface SeenBefore {
  /** Milliseconds of the clock. */
  at: number;
  seen: Activity[];
}

/** Sessions and what is queued. */
export const countOf = ({ seen, old }: Look): number =>
  sum([...seen, ...old], "sessions") + sum([...seen, ...old], "queued");

/**
 * Judges one look after the other: quiet only after a whole window without anything new, at the current workers
 * and at those that a reload replaced.
 *
 * @param known an earlier look, before it left
 * @returns judges; `asked` is when the look began: one balancer may have answered long before the last
 */
export function quietFor(
  clock: Clock,
  known?: SeenBefore,
): (seen: Activity[], old?: Activity[], asked?: number) => Seen<undefined> {
  let since = clock.now();
  let looks = 0;
  let retriedAt = -Infinity;
  let before: Activity[] | undefined;
  return (seen, old = [], asked = clock.now()) => {
    const all = [...seen, ...old];
    const earlier = before;
    before = all;
    if (earlier && all.some((at, i) => at.retried !== retriesBefore(at, earlier[i]))) retriedAt = clock.now();
    if (!earlier) retriedAt = lastRetry(all, known, clock.now());
    const busy = all.some(isBusy) || seen.some((at) => !at.out);
    if (busy || !earlier || changed(earlier, all)) {
      since = clock.now();
      looks = busy ? 0 : 1;
      return busy ? notYet(sayBusy(seen, old)) : watched();
    }
    looks += 1;
    if (asked - retriedAt < retryPause)
      return notYet("whether a request is being tried again", retriedAt + retryPause - clock.now());
    return looks >= samples && asked - since >= window ? yes(undefined) : watched();
  };

  /** Looks that are left are spread over what is left of the window: more would prove no more. */
  function watched(): Seen<never> {
    const left = since + window - clock.now();
    return notYet("a quiet moment, watched for a while", Math.ceil(left / Math.max(1, samples - looks)));
  }
}

/** Who waits for a node to be empty must ask about old workers too. */
export const isBusy = ({ sessions, queued }: Activity): boolean => sessions > 0 || queued > 0;

/** The latest at which one may have been counted: never, where none ever was. */
function lastRetry(seen: Activity[], known: SeenBefore | undefined, now: number): number {
  const before = (at: Activity): Activity | undefined => known?.seen.find((one) => samePlace(one, at));
  if (seen.some((at) => at.retried !== retriesBefore(at, before(at)))) return now;
  return known && seen.some((at) => at.retried > 0) ? known.at : -Infinity;
}

/** A new worker counts from 0. One that counts less than before was told to count anew, and tries may be hidden by that. */
const retriesBefore = (at: Activity, earlier: Activity | undefined): number =>
  earlier?.process === at.process ? earlier.retried : 0;

const changed = (earlier: Activity[], seen: Activity[]): boolean =>
  seen.some((at, i) => at.total !== earlier[i]?.total || at.process !== earlier[i].process);

const sum = (seen: Activity[], what: "sessions" | "queued"): number =>
  seen.reduce((total, at) => total + at[what], 0);

/** "9 sessions left (lb1: 6, lb2: 3), 2 queued"; "lb1/app (old worker 1234): 1 session" */
const sayBusy = (seen: Activity[], old: Activity[]): string => {
  const left = old.filter(isBusy);
  const current = left.length === 0 || seen.some((at) => isBusy(at) || !at.out) ? [sayCurrent(seen)] : [];
  return [...current, ...left.map(sayOld)].join("; ");
};

export const sayOld = (at: Activity): string => {
  const count = at.sessions + at.queued;
  return `${sayPlace(at)} (old worker ${at.process}): ${count} session${count === 1 ? "" : "s"}`;
};

function sayCurrent(seen: Activity[]): string {
  const sessions = sum(seen, "sessions");
  const balancers = [...new Set(seen.map((at) => at.balancer))];
  const by = balancers.map(
    (name) =>
      [
        name,
        sum(
          seen.filter((at) => at.balancer === name),
          "sessions",
        ),
      ] as const,
  );
  const where = by.filter(([, count]) => count > 0).map(([name, count]) => `${name}: ${count}`);
  const queued = sum(seen, "queued");
  return `${sessions} session${sessions === 1 ? "" : "s"} left${where.length ? ` (${where.join(", ")})` : ""}${queued ? `, ${queued} queued` : ""}`;
}

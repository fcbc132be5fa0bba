/** What is counted at some places from one look to the next. Pure. */
import { samePlace } from "../place.ts";
import type { Counts, Place, Tally } from "../ports.ts";
import { type Traffic, sameWorker, sumOf, trafficOf } from "./judge.ts";

export interface Watched {
  /** As last seen. */
  latest: Tally;
  /** Since the first look, of all workers; `running` is not a sum, but what was left running when it was last seen. */
  sum: Counts;
  /** New requests that the mean time to an answer is of. */
  sinceWorker: number;
}

const nothing: Counts = {
  sent: 0,
  running: 0,
  answered: 0,
  errors: 0,
  refused: 0,
  cut: 0,
  abandoned: 0,
  retried: 0,
  failedChecks: 0,
  downs: 0,
};

/**
 * One more look. Only two readings of one worker are compared: after a reload counting goes on from the new one's.
 * Of what runs at the first look nobody knows whether it was answered already, so that it is never taken for failed.
 *
 * @returns and the balancers that were reloaded since the look before
 */
export function counted(before: Watched[], seen: Tally[]): { watched: Watched[]; reloaded: string[] } {
  const reloaded = new Set<string>();
  const watched = seen.map((latest): Watched => {
    const known = before.find((one) => samePlace(one.latest, latest));
    const { running } = latest.counts;
    if (!known) return { latest, sum: { ...nothing, running }, sinceWorker: 0 };
    const { sum } = known;
    if (!sameWorker(known.latest, latest)) {
      reloaded.add(latest.balancer);
      return { latest, sum: { ...sum, running: sum.running + running }, sinceWorker: 0 };
    }
    const grown = difference(latest.counts, known.latest.counts);
    return { latest, sum: total(sum, grown), sinceWorker: known.sinceWorker + grown.sent };
  });
  return { watched, reloaded: [...reloaded] };
}

const combined = (a: Counts, b: Counts, sign: 1 | -1): Counts => ({
  sent: a.sent + sign * b.sent,
  running: a.running + sign * b.running,
  answered: a.answered + sign * b.answered,
  errors: a.errors + sign * b.errors,
  refused: a.refused + sign * b.refused,
  cut: a.cut + sign * b.cut,
  abandoned: a.abandoned + sign * b.abandoned,
  retried: a.retried + sign * b.retried,
  failedChecks: a.failedChecks + sign * b.failedChecks,
  downs: a.downs + sign * b.downs,
});
const total = (a: Counts, b: Counts): Counts => combined(a, b, 1);
const difference = (a: Counts, b: Counts): Counts => combined(a, b, -1);

export const placesIn = (seen: Watched[], places: Place[]): Watched[] =>
  seen.filter(({ latest }) => places.some((place) => samePlace(place, latest)));

export const trafficAt = (watched: Watched[]): Traffic =>
  sumOf(watched.map(({ sum, latest }) => trafficOf(sum, latest.http)));

/** HAProxy's mean is of so many. */
const meanOf = 1_024;

/** Mean milliseconds to an answer, weighted; undefined unless all that the means are of came during the soak. */
export function answerMsAt(watched: Watched[]): number | undefined {
  if (watched.length === 0 || watched.some((one) => one.sinceWorker < meanOf || !one.latest.http))
    return undefined;
  const all = watched.reduce((sum, one) => sum + one.sinceWorker, 0);
  return watched.reduce((sum, one) => sum + (one.latest.answerMs * one.sinceWorker) / all, 0);
}

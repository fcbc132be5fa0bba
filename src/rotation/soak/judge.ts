/** Whether a node that is back serves worse than it should, and how that is said. Pure. */
import { chanceOf } from "./fisher.ts";
import type { Counts, Tally } from "../ports.ts";

/** What became of the requests of one group. */
export interface Traffic {
  /** That ended. */
  requests: number;
  /** Answered with 500 or more, or with nothing, or not to the end. */
  failed: number;
  /** Of these, answered with 500 or more. */
  errors: number;
  /** Connections to it that had to be tried again. */
  retried: number;
  /** Given up by their clients. */
  abandoned: number;
}

/** What it is compared with: neighbours over the same seconds, or the node itself before it left. */
export interface Control {
  /** "its neighbours web2, web3", "itself before" */
  who: string;
  traffic: Traffic;
}

export type Verdict = { kind: "good" | "worse" | "inconclusive"; text: string };

/** Fewer requests than these say nothing good: of 100, one failure in twelve would be missed in 1 of 100 soaks. */
export const enough = 100;
/** Fewer failures than these are nobody's fault. */
const leastFailed = 5;
/** A rate must be this many times the other to matter. */
const timesWorse = 2;
/** How often a batch that is as good as its neighbours may be called worse: at the end, and in one look before it. */
const [falseAlarm, falseAlarmAtOneLook] = [1 / 1_000, 1 / 1_000_000];
/** Where there is nothing to compare with: what is bad, and what is good, in any case. */
const [badAlone, goodAlone] = [0.05, 0.01];

const measures = [
  { of: "failed", word: "failed" },
  { of: "retried", word: "were tried again" },
  { of: "abandoned", word: "were given up by their clients" },
] as const;

/** Chosen for the verdict: the first that has had enough requests. */
export function controlOf(candidates: Control[]): Control | undefined {
  return (
    candidates.find(({ traffic }) => traffic.requests >= enough) ??
    candidates.find(({ traffic }) => traffic.requests > 0)
  );
}

/**
 * @param nodes of the batch: each is one more chance to be wrong
 */
export function judge(
  own: Traffic,
  control: Control | undefined,
  { nodes, atEnd }: { nodes: number; atEnd: boolean },
): Verdict {
  const limit = (atEnd ? falseAlarm : falseAlarmAtOneLook) / (nodes * measures.length);
  const bad = control && measures.find(({ of }) => isWorse(own, control.traffic, of, limit));
  if (bad) return { kind: "worse", text: sayRates(own, control, bad) };
  const rate = own.failed / Math.max(1, own.requests);
  const comparable = control !== undefined && control.traffic.requests >= enough;
  const seen = sayBrief(own, control);
  if (!comparable && atEnd && own.failed >= leastFailed && rate > badAlone)
    return { kind: "worse", text: `${seen}, and nothing to compare with; more than 5 % is bad anywhere` };
  if (own.requests < enough)
    return { kind: "inconclusive", text: `${seen}; it takes ${enough} requests to tell` };
  if (!comparable && rate > goodAlone)
    return { kind: "inconclusive", text: `${seen}, and nothing to compare with` };
  return { kind: "good", text: comparable ? seen : `${seen}; nothing to compare with` };
}

function isWorse(own: Traffic, other: Traffic, of: (typeof measures)[number]["of"], limit: number): boolean {
  if (own[of] < leastFailed || own[of] * other.requests <= timesWorse * other[of] * own.requests)
    return false;
  const mine = { failed: Math.min(own[of], own.requests), of: own.requests };
  return chanceOf(mine, { failed: Math.min(other[of], other.requests), of: other.requests }) < limit;
}

/** "12 of 840 requests failed (1.4 %; 10 answered 5xx); its neighbours web2, web3: 1 of 1,702 (0.06 %)" */
function sayRates(own: Traffic, { who, traffic }: Control, { of, word }: (typeof measures)[number]): string {
  const how = of === "failed" ? `, ${own.errors} of them answered 5xx` : "";
  return `${share(own[of], own.requests)} requests ${word} (${percent(own[of], own.requests)}${how}); ${who}: ${share(traffic[of], traffic.requests)} (${percent(traffic[of], traffic.requests)})`;
}

/** "840 requests, 0 failed; its neighbours web2, web3: 1 of 1,702" */
function sayBrief({ requests, failed }: Traffic, control: Control | undefined): string {
  const other = control ? `; ${control.who}: ${share(control.traffic.failed, control.traffic.requests)}` : "";
  return `${grouped(requests)} request${requests === 1 ? "" : "s"}, ${grouped(failed)} failed${other}`;
}

const grouped = (number: number): string => number.toLocaleString("en-US");
const share = (part: number, whole: number): string => `${grouped(part)} of ${grouped(whole)}`;
/** Two digits are enough to compare by. */
const percent = (part: number, whole: number): string =>
  `${whole === 0 ? 0 : Number(((100 * part) / whole).toPrecision(2))} %`;

/**
 * What became of the requests that one place was given. HAProxy counts a request that was killed on a connection that
 * was used before nowhere: it is one that ended with no status. One that the client gave up ends with none either.
 */
export function trafficOf(counts: Counts, http: boolean): Traffic {
  const begun = counts.sent - counts.retried;
  const requests = Math.max(0, begun - counts.running);
  const unanswered = Math.max(0, requests - counts.answered - counts.abandoned);
  const failed = http ? counts.errors + Math.max(unanswered, counts.cut) : counts.refused + counts.cut;
  return {
    requests,
    failed: Math.min(requests, failed),
    errors: http ? counts.errors : 0,
    retried: counts.retried,
    abandoned: counts.abandoned,
  };
}

export const sumOf = (all: Traffic[]): Traffic =>
  all.reduce(
    (sum, one) => ({
      requests: sum.requests + one.requests,
      failed: sum.failed + one.failed,
      errors: sum.errors + one.errors,
      retried: sum.retried + one.retried,
      abandoned: sum.abandoned + one.abandoned,
    }),
    { requests: 0, failed: 0, errors: 0, retried: 0, abandoned: 0 },
  );

/** A worker that is new counts from 0. */
export const sameWorker = (before: Tally, now: Tally): boolean =>
  before.process === now.process && before.counts.sent <= now.counts.sent;

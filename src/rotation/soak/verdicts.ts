/** What was counted for a batch and its neighbours → a verdict on each node. Pure. */
import { sayDuration } from "../../base/duration.ts";
import { samePlace, sayPlace } from "../place.ts";
import type { Company } from "./soak.ts";
import { type Control, type Verdict, controlOf, judge, sameWorker, sumOf, trafficOf } from "./judge.ts";
import { type Watched, answerMsAt, placesIn, trafficAt } from "./watch.ts";
import type { Trip } from "../world.ts";

export const serves = ({ latest }: Watched): boolean => /^(UP|no check)/.test(latest.status);

/** By a person, who knows why: what is watched then is not what was to be. */
export const isTakenOut = ({ places }: Trip, seen: Watched[]): boolean =>
  placesIn(seen, places).some(({ latest }) => /^(DRAIN|MAINT|NOLB)/.test(latest.status));

export function verdictsOn(company: Company, seen: Watched[], atEnd: boolean): Map<Trip, Verdict> {
  const { back, neighbours } = company;
  const beside = placesIn(
    seen,
    neighbours.flatMap(({ places }) => places),
  );
  const names = neighbours.map(({ name }) => name).join(", ");
  const neighbour = neighbours.length === 1 ? "its neighbour" : "its neighbours";
  return new Map(
    back.map((trip) => {
      const mine = placesIn(seen, trip.places);
      const candidates: Control[] = [
        ...(neighbours.length > 0 ? [{ who: `${neighbour} ${names}`, traffic: trafficAt(beside) }] : []),
        ...beforeOf(trip, mine),
      ];
      const verdict = judge(trafficAt(mine), controlOf(candidates), {
        nodes: back.length,
        atEnd,
      });
      return [trip, wentDown(mine) ?? takenOut(mine) ?? withAnswerTime(verdict, mine, beside)];
    }),
  );
}

/** All that the same workers had counted for it when it left: the release before. */
function beforeOf({ countedBefore }: Trip, mine: Watched[]): Control[] {
  const before = countedBefore.filter((tally) =>
    mine.some(({ latest }) => samePlace(tally, latest) && sameWorker(tally, latest)),
  );
  if (before.length === 0) return [];
  return [
    {
      who: "itself before it left",
      traffic: sumOf(before.map(({ counts, http }) => trafficOf(counts, http))),
    },
  ];
}

/** A check that fails now and then is told; a node that goes down is worse, whatever it answered before. */
function wentDown(mine: Watched[]): Verdict | undefined {
  const down = mine.filter(({ latest, sum }) => sum.downs > 0 || latest.status.startsWith("DOWN"));
  if (down.length === 0) return undefined;
  const where = down.map(({ latest }) => `${sayPlace(latest)} ${latest.status}`).join(", ");
  return { kind: "worse", text: `it went down by HAProxy's own checks: ${where}` };
}

function takenOut(mine: Watched[]): Verdict | undefined {
  const out = mine.filter(({ latest }) => /^(DRAIN|MAINT|NOLB)/.test(latest.status));
  if (out.length === 0) return undefined;
  const where = out.map(({ latest }) => `${sayPlace(latest)} shows ${latest.status}`).join(", ");
  return { kind: "inconclusive", text: `${where}: somebody took it out meanwhile` };
}

/** Told and not judged: of a mean alone nobody can say what is chance. */
function withAnswerTime(verdict: Verdict, mine: Watched[], beside: Watched[]): Verdict {
  const failing = mine.reduce((sum, one) => sum + one.sum.failedChecks, 0);
  const checks = failing > 0 ? `; ${failing} of HAProxy's checks failed` : "";
  const [own, others] = [answerMsAt(mine), answerMsAt(beside)];
  const other = others === undefined ? "" : `, ${Math.round(others)} ms at its neighbours`;
  const time = own === undefined ? "" : `; answers after ${Math.round(own)} ms${other}`;
  return { ...verdict, text: `${verdict.text}${time}${checks}` };
}

/** It ended early because of one: of the others nothing good was shown yet. */
export function cutShort(verdicts: Map<Trip, Verdict>, after: number, within: number): Map<Trip, Verdict> {
  return new Map(
    [...verdicts].map(([trip, verdict]) => {
      if (verdict.kind !== "good") return [trip, verdict];
      const text = `${verdict.text}; it ended after ${sayDuration(after)} of ${sayDuration(within)}, because of another node`;
      return [trip, { kind: "inconclusive", text }];
    }),
  );
}

/** Changes only when something fails: each change is a line in a log. */
export function saySoFar(back: Trip[], seen: Watched[], within: number): string {
  const { failed } = trafficAt(
    placesIn(
      seen,
      back.flatMap(({ places }) => places),
    ),
  );
  return `watched under traffic for ${sayDuration(within)}: ${failed === 0 ? "nothing failed so far" : `${failed} failed so far`}`;
}

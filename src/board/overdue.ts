/** Holds that are past their time. They never end by themselves, so somebody must be told. Pure. */
import { sayDuration } from "../base/duration.ts";
import type { Absence } from "../rotation/records.ts";

export const isOverdue = ({ kind, until }: Absence, now: Date): boolean =>
  kind === "hold" && until !== undefined && until <= now;

/** @param where What a command needs to find the same inventory: " -i FILE", or nothing. */
export const overdueLines = (absences: Iterable<Absence>, now: Date, where: string): string[] =>
  [...absences]
    .filter((absence) => isOverdue(absence, now))
    .map(({ node, by, reason, until = now }) => {
      const late = sayDuration(now.getTime() - until.getTime());
      const why = reason === undefined ? "" : `, ${reason}`;
      return `${node} is held ${late} past its time (by ${by}${why}): rota ready ${node}${where}, or rota drain ${node}${where} --for 1h`;
    });

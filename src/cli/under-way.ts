import type { Holder } from "../journal/lease.ts";
import { isGone } from "../journal/process.ts";
import type { WholeRun } from "../rotation/records.ts";

/**
 * Whoever holds the lease does this run: began it, or went on with it, under that very lease. Else the run's own
 * process is gone, and the holder closes it, or has not come to it yet.
 */
export function isUnderWay({ started, ended, deeds }: WholeRun, holder: Holder | undefined): boolean {
  if (ended !== undefined || !holder || isGone(holder)) return false;
  const resumed = deeds.filter(({ deed }) => deed === "resume").map(({ at }) => at);
  return [started, ...resumed].some((at) => at >= holder.since);
}

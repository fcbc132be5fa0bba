import type { Known, RunRecord } from "../rotation/records.ts";
import { sayStandings, standingsOf } from "../rotation/unfinished.ts";

/** Looked back through: whoever left a run has mostly done some things by hand since. */
export const mostRuns = 20;

/** A run in words, and what to type. */
export interface Unfinished {
  what: string;
  next: string;
}

/**
 * The newest run of the whole fleet that nobody finished, if no other took its place, and those by hand that were cut off.
 *
 * @param runs the newest first
 */
export async function unfinishedOf(known: Known, runs: RunRecord[], where: string): Promise<Unfinished[]> {
  const said: Unfinished[] = [];
  for (const { run: id, command, outcome } of runs) {
    const byHand = command === "drain" || command === "ready";
    if (outcome === undefined || (!byHand && (outcome === "failed" || outcome === "interrupted"))) {
      const run = await known.run(id, false);
      if (run && (outcome === undefined || isLeft(standingsOf(run))))
        said.push({
          what: `run ${id} (${command}, by ${run.by}) ${outcome ?? "is not finished"}: ${sayStandings(run)}`,
          next: `rota resume ${id}${where}${standingsOf(run).failed.length > 0 ? " --retry" : ""}, or rota abort ${id}${where}`,
        });
    }
    if (!byHand) break;
  }
  return said;
}

const isLeft = ({ failed, halfDone, rest }: ReturnType<typeof standingsOf>): boolean =>
  failed.length + halfDone.length + rest.length > 0;

import type { Known } from "../rotation/records.ts";
import { sayStandings } from "../rotation/unfinished.ts";

/** The last run of a fleet, where its process is gone, or a person left it: what it is, and what to type. */
export async function unfinishedRun(
  known: Known,
  fleet: string,
  where: string,
): Promise<{ what: string; next: string } | undefined> {
  const [last] = await known.runs(fleet, 1);
  const run = last && last.ended === undefined ? await known.run(last.run) : undefined;
  if (!run) return undefined;
  return {
    what: `run ${run.run} (${run.command}, by ${run.by}) is not finished: ${sayStandings(run)}`,
    next: `rota resume ${run.run}${where}, or rota abort ${run.run}${where}`,
  };
}

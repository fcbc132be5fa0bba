import { RotaError } from "../base/errors.ts";
import { shown } from "../inventory/names.ts";
import type { Known, RunRecord, WholeRun } from "../rotation/records.ts";
import { untouched } from "./refuse.ts";
import { noRunYet } from "./words.ts";

/** Not ended, or ended before every node had its turn or was well. */
const isOpen = ({ outcome }: RunRecord): boolean =>
  outcome === undefined || outcome === "failed" || outcome === "interrupted";

/**
 * The run that is meant: by its id, else the fleet's last one.
 *
 * @param where What a command needs to find the same inventory: " -i FILE", or nothing.
 * @throws RotaError USAGE where there is none, or nothing is left of it
 */
export async function findOpenRun(
  known: Known,
  fleet: string,
  id: string | undefined,
  where: string,
): Promise<WholeRun> {
  const [last] = id === undefined ? await known.runs(fleet, 1) : [];
  const wanted = id ?? last?.run;
  const run = wanted === undefined ? undefined : await known.run(wanted);
  if (!run || run.fleet !== fleet) {
    const which =
      id === undefined
        ? `${fleet} has no run yet`
        : `no run of ${fleet} has an id that begins with ${shown(id)}, or several have`;
    throw new RotaError("USAGE", {
      problem: which,
      left: untouched,
      next: id === undefined ? noRunYet(where) : `rota runs${where}, which lists them`,
    });
  }
  if (isOpen(run)) return run;
  throw new RotaError("USAGE", {
    problem: `run ${run.run} is over (${run.outcome}); nothing is left of it`,
    left: untouched,
    next: `rota show ${run.run}${where}`,
  });
}

/** What the console sees at each look: the fleet, the run that somebody should see, and one run of the history. */
import { systemClock } from "../base/clock.ts";
import { lasting } from "../base/lasting.ts";
import type { FleetStatus } from "../board/fleet-status.ts";
import type { Picture } from "../console/changes.ts";
import { type RunView, fleetView, runView } from "../console/view.ts";
import type { OpenJournal } from "../journal/journal.ts";
import type { RunRecord } from "../rotation/records.ts";
import type { Site } from "./site.ts";
import { lookAt } from "./status.ts";
import { isUnderWay } from "./under-way.ts";

/** Milliseconds for which the releases of the last deploys stand: they change while a run is under way, and with its end. */
const setsLast = 5_000;
/** Milliseconds for which a run that ended well stays in view. */
const shownFor = 20_000;

/** @param onSeen told each time, and not waited for */
export function looking(
  site: Site,
  journal: OpenJournal,
  onSeen: (status: FleetStatus) => void,
): () => Promise<Picture> {
  const { name } = site.fleet;
  const setsAnew = () => lasting(setsLast, () => journal.lastSets(name), systemClock);
  let [sets, lastEnd] = [setsAnew(), ""];
  const calm: OpenJournal = { ...journal, lastSets: () => sets() };
  return async () => {
    const { seen } = await lookAt(site, calm, "");
    onSeen(seen);
    const [last] = await journal.runs(name, 1);
    const end = `${last?.run} ${last?.outcome}`;
    if (end !== lastEnd) sets = setsAnew();
    lastEnd = end;
    const run =
      last && isToBeSeen(last, systemClock.today()) ? await oneRun(journal, name, last.run) : undefined;
    return { fleet: fleetView(seen, systemClock.today()), run };
  };
}

/** Under way; or cut off or failed, so that somebody is needed; or over since a moment. */
const isToBeSeen = ({ ended, outcome }: RunRecord, now: Date): boolean =>
  ended === undefined ||
  outcome === "failed" ||
  outcome === "interrupted" ||
  now.getTime() - ended.getTime() < shownFor;

/** Of this fleet, by its whole id or a beginning that no other has. */
export async function oneRun(journal: OpenJournal, fleet: string, id: string): Promise<RunView | undefined> {
  if (!/^[0-9a-f]{1,12}$/.test(id)) return undefined;
  const run = await journal.run(id, false);
  if (run?.fleet !== fleet) return undefined;
  if (run.ended !== undefined) return runView(run);
  const [seen, paused, holder] = await Promise.all([
    journal.liveOf(run.run),
    journal.pausedBy(run.run),
    journal.holderOf(fleet),
  ]);
  return runView(run, { seen, paused, underWay: isUnderWay(run, holder) });
}

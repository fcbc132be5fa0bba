import { planLines } from "../board/plan.ts";
import { readJournal } from "../journal/open.ts";
import { makePlan } from "../rotation/plan/plan.ts";
import { warn } from "./drift.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { medianOf } from "./median.ts";
import { tellOverdue } from "./overdue.ts";
import { planAsJson } from "./plan-json.ts";
import { refuse } from "./refuse.ts";
import { releasesOf } from "./releases.ts";
import { type RolloutArgs, rolloutOptions, skippedBy } from "./rollout-options.ts";
import { type SiteArgs, openSite } from "./site.ts";
import { readSet } from "./words.ts";

/** What a deploy would do. Asks the balancers, touches nothing, contacts no host. */
export async function plan(args: RolloutArgs & SiteArgs, io: Io): Promise<ExitCode> {
  const set = readSet(args.set);
  const options = rolloutOptions(args);
  await using site = openSite(args, io);
  const { fleet, balancers } = site;
  const releases = await releasesOf(site, set, skippedBy(args, fleet), io);
  await using journal = await readJournal(io.env);
  await tellOverdue(journal, { fleet: fleet.name, inventory: args.inventory }, io);
  const [survey, absences = new Map(), took = []] = await Promise.all([
    balancers.survey("change"),
    journal?.absences(fleet.name),
    journal?.lastRotations(fleet.name),
  ]);
  const noVariables = () => ({ variables: {}, secrets: [] });
  const made = makePlan(fleet, survey, absences, {
    ...options(site),
    tolerated: site.tolerated,
    force: false,
    variablesOf: noVariables,
    releaseOf: ({ name }) => releases.get(name),
  });
  await warn(made, site, survey, set);
  const nodeTook = medianOf(took);
  if (args.json) io.out(JSON.stringify(planAsJson(made, nodeTook)));
  else for (const line of planLines(made, nodeTook)) io.out(line);
  refuse(made, args.inventory);
  return Exit.ok;
}

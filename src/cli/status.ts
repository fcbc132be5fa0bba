import { createColors } from "picocolors";
import { colours } from "../board/colours.ts";
import { type FleetStatus, type Past, fleetStatus } from "../board/fleet-status.ts";
import { statusLines } from "../board/status.ts";
import type { Survey } from "../rotation/ports.ts";
import type { OpenJournal } from "../journal/journal.ts";
import { readJournal } from "../journal/open.ts";
import { isGone } from "../journal/process.ts";
import type { Absence, Known, RunRecord } from "../rotation/records.ts";
import { Exit, type ExitCode } from "./exit.ts";
import { sayHolder } from "./holder.ts";
import type { Io } from "./io.ts";
import { type Site, type SiteArgs, openSite } from "./site.ts";
import { mostRuns, unfinishedOf } from "./unfinished-run.ts";
import { inventoryWords } from "./words.ts";

export interface StatusArgs extends SiteArgs {
  watch?: boolean | undefined;
}

/** The fleet as every balancer sees it, with what the journal knows of nodes that are out. Any level of socket will do. */
export async function status(args: StatusArgs, io: Io): Promise<ExitCode> {
  await using site = openSite(args, io);
  await using journal = await readJournal(io.env);
  const where = inventoryWords(args.inventory);
  const look = (): Promise<Look> => lookAt(site, journal, where);
  if (args.watch)
    return await (await import("./watch.ts")).watch(look, { json: args.json === true, where }, io);
  const { seen, isWhole } = await look();
  const paint = colours(createColors(io.colourOut));
  if (args.json) io.out(JSON.stringify(seen));
  else for (const line of statusLines(seen, new Date(), { width: io.width }, paint, where)) io.out(line);
  return isWhole ? Exit.ok : Exit.refused;
}

export interface Look {
  seen: FleetStatus;
  /** Every balancer answered. */
  isWhole: boolean;
}

export async function lookAt(site: Site, journal: OpenJournal | undefined, where: string): Promise<Look> {
  const { fleet, nodes, balancers } = site;
  const [survey, past] = await Promise.all<[Promise<Survey>, Promise<Past>]>([
    balancers.survey("read"),
    journal ? pastOf(journal, fleet.name, where) : nothing,
  ]);
  return { seen: fleetStatus(fleet, nodes, survey, past), isWhole: survey.unread.length === 0 };
}

const nothing: Promise<Past> = Promise.resolve({
  absences: new Map<string, Absence>(),
  failures: new Map<string, string>(),
  sets: new Map<string, Record<string, string>>(),
  steps: new Map<string, string>(),
  lease: undefined,
  unfinished: [],
});

async function pastOf(journal: OpenJournal, fleet: string, where: string): Promise<Past> {
  const [absences, holder, sets, runs] = await Promise.all([
    journal.absences(fleet),
    journal.holderOf(fleet),
    journal.lastSets(fleet),
    journal.runs(fleet, mostRuns),
  ]);
  const holds = holder !== undefined && !isGone(holder);
  return {
    absences,
    sets,
    failures: await failuresOf(journal, absences),
    steps: holds ? await stepsOf(journal, runs) : new Map(),
    lease: holds ? sayHolder(holder, new Date()) : undefined,
    unfinished: holds
      ? []
      : (await unfinishedOf(journal, runs, where)).map(({ what, next }) => `${what}: ${next}`),
  };
}

/** Why our own runs left nodes out, by node. */
async function failuresOf(known: Known, absences: Map<string, Absence>): Promise<Map<string, string>> {
  const ids = new Set([...absences.values()].filter(({ kind }) => kind === "run").map(({ run }) => run));
  const runs = await Promise.all([...ids].map((id) => known.run(id, false)));
  const trips = runs.flatMap((run) => run?.trips ?? []);
  return new Map(trips.flatMap(({ node, why }) => (why === undefined ? [] : [[node, why]])));
}

/** What the run under way does at this moment, by node. */
async function stepsOf(known: Known, [last]: RunRecord[]): Promise<Map<string, string>> {
  const run = last && last.ended === undefined ? await known.run(last.run, false) : undefined;
  const begun = run?.steps.filter(({ ended }) => ended === undefined) ?? [];
  return new Map(begun.map(({ node, step }) => [node, step]));
}

import { createColors } from "picocolors";
import { messageOf } from "../base/errors.ts";
import { colours } from "../board/colours.ts";
import { type FleetStatus, statusLines } from "../board/status.ts";
import type { Fleet, Node } from "../inventory/fleet.ts";
import { readJournal } from "../journal/open.ts";
import { isGone } from "../journal/process.ts";
import { entriesOfNode } from "../rotation/plan/entries.ts";
import type { Survey } from "../rotation/ports.ts";
import type { Absence, Known } from "../rotation/records.ts";
import { Exit, type ExitCode } from "./exit.ts";
import { sayHolder } from "./holder.ts";
import type { Io } from "./io.ts";
import { type SiteArgs, openSite } from "./site.ts";
import { unfinishedRun } from "./unfinished-run.ts";
import { inventoryWords } from "./words.ts";

/** The fleet as every balancer sees it, with what the journal knows of nodes that are out. Any level of socket will do. */
export async function status(args: SiteArgs, io: Io): Promise<ExitCode> {
  await using site = openSite(args, io);
  const { fleet, nodes, balancers } = site;
  await using journal = await readJournal(io.env);
  const [survey, absences = new Map(), holder] = await Promise.all([
    balancers.survey("read"),
    journal?.absences(fleet.name),
    journal?.holderOf(fleet.name),
  ]);
  const now = new Date();
  const holds = holder && !isGone(holder);
  const lease = holds ? sayHolder(holder, now) : undefined;
  const unfinished =
    journal && !holds ? await unfinishedOf(journal, fleet.name, inventoryWords(args.inventory)) : [];
  const failures = journal ? await failuresOf(journal, absences) : new Map<string, string>();
  const seen = { ...statusOf(fleet, nodes, survey, { absences, failures }), lease, unfinished };
  const paint = colours(createColors(io.colourOut));
  if (args.json) io.out(JSON.stringify(seen));
  else for (const line of statusLines(seen, now, paint, inventoryWords(args.inventory))) io.out(line);
  return survey.unread.length > 0 ? Exit.refused : Exit.ok;
}

interface Past {
  absences: Map<string, Absence>;
  /** By node. */
  failures: Map<string, string>;
}

function statusOf(
  fleet: Fleet,
  nodes: Node[],
  survey: Survey,
  { absences, failures }: Past,
): Omit<FleetStatus, "lease" | "unfinished"> {
  const seen = fleet.pools.flatMap((pool) =>
    pool.nodes
      .filter((node) => nodes.includes(node))
      .map((node) => ({ pool: pool.name, node, ...entriesOfNode(fleet, pool, node, survey) })),
  );
  const all = new Set(fleet.pools.flatMap((pool) => pool.nodes.map(({ name }) => name)));
  const gone = [...absences.values()].filter(({ node }) => !all.has(node));
  return {
    fleet: fleet.name,
    nodes: seen.map(({ pool, node: { name }, entries }) => ({
      pool,
      name,
      entries,
      absence: absences.get(name),
      failure: failures.get(name),
    })),
    backends: survey.backends,
    problems: [
      ...survey.unread.map(({ error }) => messageOf(error)),
      ...seen.flatMap(({ lacks }) => lacks),
      ...gone.map(
        ({ node, run, by }) =>
          `${node} was taken out by run ${run} (${by}), and is no longer in the inventory`,
      ),
    ],
  };
}

/** Why our own runs left nodes out, by node. */
async function failuresOf(known: Known, absences: Map<string, Absence>): Promise<Map<string, string>> {
  const ids = new Set([...absences.values()].filter(({ kind }) => kind === "run").map(({ run }) => run));
  const runs = await Promise.all([...ids].map((id) => known.run(id)));
  const trips = runs.flatMap((run) => run?.trips ?? []);
  return new Map(trips.flatMap(({ node, why }) => (why === undefined ? [] : [[node, why]])));
}

/** Runs whose process is gone, or that a person left. */
async function unfinishedOf(known: Known, fleet: string, where: string): Promise<string[]> {
  const run = await unfinishedRun(known, fleet, where);
  return run ? [`${run.what}: ${run.next}`] : [];
}

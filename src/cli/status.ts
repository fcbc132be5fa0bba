import { createColors } from "picocolors";
import { messageOf } from "../base/errors.ts";
import { colours } from "../board/colours.ts";
import { type FleetStatus, statusLines } from "../board/status.ts";
import type { Fleet, Node } from "../inventory/fleet.ts";
import { readJournal } from "../journal/open.ts";
import { entriesOfNode } from "../rotation/plan.ts";
import type { Absence, Known, Survey } from "../rotation/ports.ts";
import { sayStandings } from "../rotation/unfinished.ts";
import { Exit, type ExitCode } from "./exit.ts";
import { sayHolder } from "./holder.ts";
import type { Io } from "./io.ts";
import { type SiteArgs, openSite } from "./site.ts";

/** The fleet as every balancer sees it, with what the journal knows of nodes that are out. Any level of socket will do. */
export async function status(args: SiteArgs, io: Io): Promise<ExitCode> {
  const { fleet, nodes, balancers } = openSite(args, io);
  await using journal = await readJournal(io.env);
  const [survey, absences = new Map(), holder] = await Promise.all([
    balancers.survey("read"),
    journal?.absences(fleet.name),
    journal?.holderOf(fleet.name),
  ]);
  const now = new Date();
  const lease = holder && sayHolder(holder, now);
  const unfinished = journal && !holder ? await unfinishedOf(journal, fleet.name) : [];
  const seen = { ...statusOf(fleet, nodes, survey, absences), lease, unfinished };
  const paint = colours(createColors(io.colourOut));
  if (args.json) io.out(JSON.stringify(seen));
  else for (const line of statusLines(seen, now, paint)) io.out(line);
  return survey.unread.length > 0 ? Exit.refused : Exit.ok;
}

function statusOf(
  fleet: Fleet,
  nodes: Node[],
  survey: Survey,
  absences: Map<string, Absence>,
): Omit<FleetStatus, "lease" | "unfinished"> {
  const seen = fleet.pools.flatMap((pool) =>
    pool.nodes
      .filter((node) => nodes.includes(node))
      .map((node) => ({ pool: pool.name, node, ...entriesOfNode(fleet, pool, node, survey) })),
  );
  return {
    fleet: fleet.name,
    nodes: seen.map(({ pool, node: { name }, entries }) => ({
      pool,
      name,
      entries,
      absence: absences.get(name),
    })),
    backends: survey.backends,
    problems: [...survey.unread.map(({ error }) => messageOf(error)), ...seen.flatMap(({ lacks }) => lacks)],
  };
}

/** Runs whose process is gone, or that a person left. */
async function unfinishedOf(known: Known, fleet: string): Promise<string[]> {
  const [last] = await known.runs(fleet, 1);
  const run = last && last.ended === undefined ? await known.run(last.run) : undefined;
  if (!run) return [];
  const what = `run ${run.run} (${run.command}, by ${run.by}) is not finished`;
  return [`${what}: ${sayStandings(run)}: rota resume ${run.run}, or rota abort ${run.run}`];
}

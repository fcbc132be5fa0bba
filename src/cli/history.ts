/** The history: runs, one run, one node of a run. Reads the journal only. */
import { createColors } from "picocolors";
import { RotaError } from "../base/errors.ts";
import { colours } from "../board/colours.ts";
import { nodeLines, runLines, runsLines } from "../board/history.ts";
import { shown } from "../inventory/names.ts";
import { readJournal } from "../journal/open.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { tellOverdue } from "./overdue.ts";
import { fleetOf } from "./site.ts";
import { inventoryWords, noRunYet, readCount } from "./words.ts";

export interface RunsArgs {
  inventory?: string | undefined;
  limit?: string | undefined;
  json?: boolean | undefined;
}

/** Of the fleet of `-i`; of all fleets without it. */
export async function runs({ inventory, limit, json }: RunsArgs, io: Io): Promise<ExitCode> {
  const most = readCount("--limit", limit) ?? 20;
  const fleet = inventory === undefined ? undefined : fleetOf(inventory, io).name;
  await using journal = await readJournal(io.env);
  const found = (await journal?.runs(fleet, most)) ?? [];
  const oldest = found.length < most ? undefined : found.at(-1)?.started;
  const deeds = ((await journal?.deeds(fleet, most)) ?? []).filter(({ at }) => !oldest || at >= oldest);
  for (const name of new Set(found.map((run) => run.fleet)))
    await tellOverdue(journal, { fleet: name, inventory }, io);
  if (json) io.out(JSON.stringify({ runs: found, deeds }));
  else for (const line of runsLines(found, deeds, new Date())) io.out(line);
  return Exit.ok;
}

export interface ShowArgs {
  inventory?: string | undefined;
  run: string;
  node?: string | undefined;
  json?: boolean | undefined;
}

/** @throws RotaError USAGE for a run or a node that the journal does not know */
export async function show({ inventory, run: id, node, json }: ShowArgs, io: Io): Promise<ExitCode> {
  await using journal = await readJournal(io.env);
  const fleet = inventory === undefined ? undefined : fleetOf(inventory, io).name;
  const [last] = id === "last" ? ((await journal?.runs(fleet, 1)) ?? []) : [];
  const run = await journal?.run(last?.run ?? id);
  if (!run) {
    if (id === "last" && !last)
      throw new RotaError("USAGE", {
        problem: `no run${fleet === undefined ? "" : ` of ${fleet}`} is in the journal yet`,
        next: noRunYet(inventoryWords(inventory)),
      });
    throw unknown(`no run has an id that begins with ${shown(id)}, or several have`, inventory);
  }
  await tellOverdue(journal, { fleet: run.fleet, inventory }, io);
  if (node !== undefined && !run.nodes.includes(node))
    throw unknown(`run ${run.run} had no node ${shown(node)}; it had ${run.nodes.join(", ")}`, inventory);
  if (json) {
    io.out(JSON.stringify(run));
    return Exit.ok;
  }
  const paint = colours(createColors(io.colourOut));
  const now = new Date();
  const lines =
    node === undefined ? runLines(run, now, io.width, paint) : nodeLines(run, node, now, io.width, paint);
  for (const line of lines) io.out(line);
  return Exit.ok;
}

const unknown = (problem: string, inventory: string | undefined): RotaError =>
  new RotaError("USAGE", { problem, next: `rota runs${inventoryWords(inventory)}, which lists them` });

import { RotaError } from "../base/errors.ts";
import { openJournal } from "../journal/open.ts";
import type { Holder } from "../journal/lease.ts";
import { isGone } from "../journal/process.ts";
import { Exit, type ExitCode } from "./exit.ts";
import { sayHolder } from "./holder.ts";
import type { Io } from "./io.ts";
import { tellOverdue } from "./overdue.ts";
import { untouched } from "./refuse.ts";
import { fleetOf, whoIsThis } from "./site.ts";
import { isUnderWay } from "./under-way.ts";
import { reasonOf } from "./variables.ts";
import { inventoryWords } from "./words.ts";

export interface PauseArgs {
  inventory?: string | undefined;
  reason?: string | undefined;
  json?: boolean | undefined;
}

/** The run under way finishes the nodes in hand, and starts no other until it is resumed. */
export async function pause({ inventory, reason: given, json }: PauseArgs, io: Io): Promise<ExitCode> {
  const site = fleetOf(inventory, io);
  const { name: fleet } = site;
  const reason = reasonOf(given, site, io.env);
  await using journal = await openJournal(io.env);
  await tellOverdue(journal, { fleet, inventory }, io);
  const [last] = await journal.runs(fleet, 1);
  const run = last && (await journal.run(last.run));
  const holder = await journal.holderOf(fleet);
  if (!run || !isUnderWay(run, holder)) throw noneUnderWay(fleet, holder, inventoryWords(inventory));
  const by = whoIsThis(io.env);
  await journal.pause(run.run, by);
  await journal.did({ deed: "pause", fleet, run: run.run, by, reason, what: undefined });
  const text = `run ${run.run} starts no other node until: rota resume ${run.run}${inventoryWords(inventory)}`;
  io.out(json ? JSON.stringify({ run: run.run, paused: true }) : text);
  return Exit.ok;
}

/** Somebody who has the lease may be about to begin. */
function noneUnderWay(fleet: string, holder: Holder | undefined, where: string): RotaError {
  const lives = holder && !isGone(holder);
  return new RotaError("USAGE", {
    problem: `no run of ${fleet} is under way${lives ? ` yet; it is held by ${sayHolder(holder, new Date())}` : ""}`,
    left: untouched,
    next: lives ? "the same again, in a moment" : `rota runs${where}`,
  });
}

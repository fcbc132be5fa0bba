import { count } from "../board/width.ts";
import { openJournal } from "../journal/open.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { whoIsThis } from "./site.ts";
import { readDuration } from "./words.ts";

export interface PruneArgs {
  olderThan: string;
  json?: boolean | undefined;
}

/** Removes what is old from the journal, but for what somebody may still need. */
export async function prune({ olderThan, json }: PruneArgs, io: Io): Promise<ExitCode> {
  const age = readDuration("--older-than", olderThan) ?? 0;
  await using journal = await openJournal(io.env);
  const removed = await journal.prune(new Date(Date.now() - age));
  const what = `removed ${count(removed, "run")}`;
  const by = whoIsThis(io.env);
  await journal.did({ deed: "prune", fleet: undefined, run: undefined, by, reason: undefined, what });
  io.out(json ? JSON.stringify({ removed }) : what);
  return Exit.ok;
}

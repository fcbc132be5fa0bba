import { RotaError } from "../base/errors.ts";
import { findInventory } from "../inventory/find.ts";
import { thisMachine } from "../inventory/here.ts";
import { loadInventory } from "../inventory/load.ts";
import { openJournal } from "../journal/open.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { untouched } from "./refuse.ts";
import { whoIsThis } from "./site.ts";

export interface PauseArgs {
  inventory?: string | undefined;
  json?: boolean | undefined;
}

/** The run under way finishes the nodes in hand, and starts no other until it is resumed. */
export async function pause({ inventory, json }: PauseArgs, io: Io): Promise<ExitCode> {
  const file = findInventory({ given: inventory, env: io.env, cwd: io.cwd });
  const { name: fleet } = loadInventory(file, thisMachine(io.cwd));
  await using journal = await openJournal(io.env);
  const [last] = await journal.runs(fleet, 1);
  if (!last || last.ended !== undefined || !(await journal.holderOf(fleet)))
    throw new RotaError("USAGE", {
      problem: `no run of ${fleet} is under way`,
      left: untouched,
      next: "rota runs",
    });
  await journal.pause(last.run, whoIsThis(io.env));
  const text = `run ${last.run} starts no other node until: rota resume ${last.run}`;
  io.out(json ? JSON.stringify({ run: last.run, paused: true }) : text);
  return Exit.ok;
}

import { RotaError } from "../base/errors.ts";
import { openJournal } from "../journal/open.ts";
import { isGone } from "../journal/process.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { untouched } from "./refuse.ts";
import { fleetOf, whoIsThis } from "./site.ts";
import { reasonOf } from "./variables.ts";

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
  const [last] = await journal.runs(fleet, 1);
  const holder = await journal.holderOf(fleet);
  if (!last || last.ended !== undefined || !holder || isGone(holder))
    throw new RotaError("USAGE", {
      problem: `no run of ${fleet} is under way`,
      left: untouched,
      next: "rota runs",
    });
  const by = whoIsThis(io.env);
  await journal.pause(last.run, by);
  await journal.did({ deed: "pause", fleet, run: last.run, by, reason, what: undefined });
  const text = `run ${last.run} starts no other node until: rota resume ${last.run}`;
  io.out(json ? JSON.stringify({ run: last.run, paused: true }) : text);
  return Exit.ok;
}

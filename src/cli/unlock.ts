import { RotaError } from "../base/errors.ts";
import { openJournal } from "../journal/open.ts";
import { confirm } from "./confirm.ts";
import { Exit, type ExitCode } from "./exit.ts";
import { sayHolder } from "./holder.ts";
import type { Io } from "./io.ts";
import { tellOverdue } from "./overdue.ts";
import { untouched } from "./refuse.ts";
import { fleetOf, whoIsThis } from "./site.ts";
import { reasonOf } from "./variables.ts";

export interface UnlockArgs {
  inventory?: string | undefined;
  reason?: string | undefined;
  yes?: boolean | undefined;
  json?: boolean | undefined;
}

/** Ends a lease by hand, after showing whose it is. Its holder, if it still lives, stops before its next act. */
export async function unlock({ inventory, reason: given, yes, json }: UnlockArgs, io: Io): Promise<ExitCode> {
  const site = fleetOf(inventory, io);
  const { name: fleet } = site;
  const reason = reasonOf(given, site, io.env);
  await using journal = await openJournal(io.env);
  await tellOverdue(journal, { fleet, inventory }, io);
  const holder = await journal.holderOf(fleet);
  const say = (ended: boolean, text: string): void =>
    io.out(json ? JSON.stringify({ fleet, ended, holder }) : text);
  if (!holder) {
    say(false, `nobody has the lease of ${fleet}`);
    return Exit.ok;
  }
  const held = `the lease of ${fleet} is held by ${sayHolder(holder, new Date())}`;
  io.err(held);
  if (!yes && !io.keyboard)
    throw new RotaError("USAGE", { problem: "unlock without a terminal needs --yes", left: untouched });
  await confirm({ yes: yes === true, force: false, name: fleet }, io);
  const ended = await journal.release(fleet, holder.epoch);
  if (!ended)
    throw new RotaError("REFUSED", { problem: "it ended, or changed hands, meanwhile", left: untouched });
  const [last] = await journal.runs(fleet, 1);
  const run = last?.ended === undefined ? last?.run : undefined;
  await journal.did({ deed: "unlock", fleet, run, by: whoIsThis(io.env), reason, what: held });
  say(true, `ended the lease of ${fleet}; whoever held it stops before its next act`);
  return Exit.ok;
}

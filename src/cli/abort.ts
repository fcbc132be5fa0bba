import { haproxies } from "../balancer/balancers.ts";
import { openJournal } from "../journal/open.ts";
import { confirm } from "./confirm.ts";
import { Exit, type ExitCode } from "./exit.ts";
import { findOpenRun } from "./find-run.ts";
import type { Io } from "./io.ts";
import { takeLease } from "./lease.ts";
import { stopOnSignals } from "./signals.ts";
import { fleetOf, whoIsThis } from "./site.ts";
import { readDuration } from "./words.ts";

export interface AbortArgs {
  run?: string | undefined;
  inventory?: string | undefined;
  reason?: string | undefined;
  wait?: string | undefined;
  yes?: boolean | undefined;
  json?: boolean | undefined;
}

/** Closes a run: what is proven stays in, everything else that it took out stays out, and is held. */
export async function abort(args: AbortArgs, io: Io): Promise<ExitCode> {
  const fleet = fleetOf(args.inventory, io);
  using stop = stopOnSignals();
  await using journal = await openJournal(io.env);
  const by = whoIsThis(io.env);
  const wait = readDuration("--wait", args.wait) ?? 0;
  const wanted = { fleet: fleet.name, by, command: "abort", reason: args.reason, wait };
  await using lease = await takeLease(journal, wanted, stop, io);
  const run = await findOpenRun(journal, fleet.name, args.run);
  const absences = [...(await journal.absences(fleet.name)).values()];
  const out = absences.filter((absence) => absence.run === run.run && absence.kind === "run");
  const names = out.map(({ node }) => node);
  io.err(
    `run ${run.run} ends here; ${names.length > 0 ? `${names.join(", ")} stays out, and is held` : "no node is out because of it"}`,
  );
  await confirm({ yes: args.yes === true, force: false, name: run.run }, io);

  const balancers = haproxies(fleet.balancers);
  const known = new Set(fleet.balancers.map(({ name }) => name));
  // There the page keeps the node out, and no balancer may be told anything.
  const byPage = new Set(
    fleet.pools.filter((p) => p.statusPage).flatMap((p) => p.nodes.map(({ name }) => name)),
  );
  for (const absence of out) {
    const hold = {
      ...absence,
      kind: "hold",
      by,
      reason: args.reason ?? `run ${run.run} was aborted`,
    } as const;
    await lease.journal.takenOut(fleet.name, hold);
    if (byPage.has(absence.node)) continue;
    const places = absence.found.filter(({ balancer }) => known.has(balancer));
    const serving = (await balancers.look(places)).filter((entry) => !entry.outBecause);
    await lease.mustHold();
    await balancers.set(serving, "maint");
  }
  await lease.journal.end(run.run, "aborted", args.reason);
  const held = names.length > 0 ? `; held: ${names.join(", ")} (rota ready brings a node back, proven)` : "";
  io.out(args.json ? JSON.stringify({ run: run.run, held: names }) : `run ${run.run} is aborted${held}`);
  return Exit.ok;
}

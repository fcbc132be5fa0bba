/** What every command that changes something does: look, plan, reach the hosts, ask, act. */
import { RotaError } from "../base/errors.ts";
import type { CommandName, StepName } from "../events/events.ts";
import type { Fleet } from "../inventory/fleet.ts";
import { openJournal } from "../journal/open.ts";
import { type Plan, type PlanOptions, tripsOf } from "../rotation/plan/plan.ts";
import type { Deed, Known } from "../rotation/records.ts";
import type { Travel } from "../rotation/rollout.ts";
import { nameOf } from "../rotation/world.ts";
import { type Acted, type Means, act } from "./act.ts";
import { confirm } from "./confirm.ts";
import type { ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { type Wanted, takeLease } from "./lease.ts";
import { noticesFor } from "./notices.ts";
import { tellOverdue } from "./overdue.ts";
import { nothingToDo, prepare, rehearsed, showPlan } from "./prepare.ts";
import { refuse, untouched } from "./refuse.ts";
import { stopOnSignals } from "./signals.ts";
import { type Site, type SiteArgs, whoIsThis } from "./site.ts";
import { hostsFor } from "./sudo.ts";
import { reasonOf, refuseSecrets } from "./variables.ts";
import { readDuration } from "./words.ts";

export interface ChangeArgs extends SiteArgs {
  reason?: string | undefined;
  yes?: boolean | undefined;
  /** A person has chosen it at a question just now: the plan is shown, and not asked about once more. */
  confirmed?: boolean | undefined;
  force?: boolean | undefined;
  /** How long to wait for the lease. */
  wait?: string | undefined;
  /** How long the node in hand may take after a first signal. */
  grace?: string | undefined;
  /** Set by a resume. */
  resume?: Resumption | undefined;
  /** Of a rollback: nodes that are only put back; stored, for a resume. */
  onlyBack?: string[] | undefined;
  /** Ends after the plan and a connection to every host. */
  dryRun?: boolean | undefined;
}

/** A run that goes on. */
export interface Resumption {
  run: string;
  /** What it looked like when it was decided what is left: see `traceOf`. */
  trace: string;
  /** Who goes on with it, for the history. */
  did: Deed;
  /** Nodes that it has put back. */
  back: ReadonlySet<string>;
  /** Pools in which what is done once is done. */
  onceDone: ReadonlySet<string>;
  /** Steps of its nodes that are done for good. */
  done: ReadonlyMap<string, ReadonlySet<StepName>>;
}

export interface Work {
  command: CommandName;
  site: Site;
  args: ChangeArgs;
  set: Record<string, string>;
  travel: Travel;
  options: (journal: Known) => Promise<PlanOptions>;
  /** What a person should know of the plan, beyond what every plan tells. */
  notesOf?: ((plan: Plan, journal: Known) => Promise<string[]>) | undefined;
  /** The same command again, as a person can paste it. */
  again: string;
  /** Of a rollback: the run that it undoes, and what each node is given. */
  undoes?: { run: string; sets: Record<string, Record<string, string>> } | undefined;
  /** What follows under the same lease where the release failed, and the inventory wants that undone. */
  onFailure?: ((failed: Acted, means: Means) => Promise<ExitCode>) | undefined;
}

/** @throws RotaError before anything was touched */
export async function change(work: Work, io: Io): Promise<ExitCode> {
  const { args } = work;
  await using site = work.site;
  refuseUnseen(site.fleet, args, io);
  refuseSecrets(work.set, site.fleet, io.env);
  using stop = stopOnSignals(readDuration("--grace", args.grace));
  await using notices = noticesFor(site.fleet, stop, io);
  await using journal = await openJournal(io.env);
  const byHand = work.command === "drain" || work.command === "ready";
  const but = byHand ? site.nodes.map(({ name }) => name) : [];
  await tellOverdue(journal, { fleet: site.fleet.name, inventory: args.inventory, but }, io);
  await using hosts = hostsFor(io, connectLimits(site));
  const yes = args.yes === true || args.confirmed === true || io.keyboard === undefined;
  // Asked before the lease is taken: an answer that never comes must keep nobody out.
  const shown = args.dryRun || yes ? undefined : await prepare(work, journal, hosts, false);
  if (shown) {
    const first = showPlan(shown, args, io);
    if (!first) return nothingToDo(work, shown, io);
    const { afterThisNode } = stop;
    await confirm({ yes, force: args.force === true, name: first.node.name, stop: afterThisNode }, io);
  } else
    await confirm(
      { yes: args.yes === true || args.confirmed === true, force: args.force === true, name: "" },
      io,
    );
  if (args.dryRun) return rehearsed(await prepare(work, journal, hosts, false), args, io);

  await using lease = await takeLease(journal, claimOf(work, io), stop, io);
  const ready = await prepare(work, journal, hosts, true);
  if (shown && !isSame(shown.plan, ready.plan)) throw changedMeanwhile();
  if (shown) refuse(ready.plan, args.inventory);
  const first = shown ? tripsOf(ready.plan)[0] : showPlan(ready, args, io);
  if (!first) return nothingToDo(work, ready, io);
  if (stop.afterThisNode.aborted) throw new RotaError("INTERRUPTED", { problem: "stopped", left: untouched });
  const means = { known: journal, lease, hosts, stop, over: ready.over, hear: notices.hear };
  const acted = await act(work, ready.plan, means, io);
  return acted.isToUndo && work.onFailure ? await work.onFailure(acted, means) : acted.code;
}

/** @throws RotaError REFUSED where a change would be seen by nobody else */
function refuseUnseen({ sharedJournal, file }: Fleet, { dryRun }: ChangeArgs, { env }: Io): void {
  if (!sharedJournal || dryRun || env["ROTA_JOURNAL"]) return;
  throw new RotaError("REFUSED", {
    problem: `${file} says journal: shared, and $ROTA_JOURNAL names none: nobody else would see this change`,
    left: untouched,
    next: "export ROTA_JOURNAL=postgres://…, the team's journal, then the same again",
  });
}

const isSame = (a: Plan, b: Plan): boolean =>
  JSON.stringify(tripsOf(a).map(nameOf)) === JSON.stringify(tripsOf(b).map(nameOf));

const changedMeanwhile = (): RotaError =>
  new RotaError("REFUSED", {
    problem: "the fleet changed while you were asked: other nodes would take part now",
    left: untouched,
    next: "the same again, which shows the new plan",
  });

const claimOf = ({ command, site, args }: Work, { env }: Io): Wanted => ({
  fleet: site.fleet.name,
  by: whoIsThis(env),
  command,
  reason: reasonOf(args.reason, site.fleet, env),
  wait: readDuration("--wait", args.wait) ?? 0,
  inventory: args.inventory,
});

function connectLimits({ fleet }: Site): (node: { name: string }) => number {
  const limits = new Map(
    fleet.pools.flatMap(({ nodes, limits: { connect } }) => nodes.map(({ name }) => [name, connect])),
  );
  return ({ name }) => limits.get(name) ?? 10_000;
}

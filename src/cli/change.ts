/** What every command that changes something does: look, plan, reach the hosts, ask, act. */
import { RotaError } from "../base/errors.ts";
import { planLines } from "../board/plan.ts";
import type { CommandName, StepName } from "../events/events.ts";
import { openJournal } from "../journal/open.ts";
import { sshHosts } from "../remote/hosts.ts";
import { type Plan, type PlanOptions, makePlan, tripsOf } from "../rotation/plan.ts";
import type { Known, RunRecord } from "../rotation/ports.ts";
import type { Travel } from "../rotation/rollout.ts";
import { act } from "./act.ts";
import { confirm } from "./confirm.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { type Wanted, takeLease } from "./lease.ts";
import { openHosts } from "./open-hosts.ts";
import { medianOf } from "./median.ts";
import { refuse, untouched } from "./refuse.ts";
import { stopOnSignals } from "./signals.ts";
import { type Site, type SiteArgs, whoIsThis } from "./site.ts";
import { readDuration } from "./words.ts";

export interface ChangeArgs extends SiteArgs {
  reason?: string | undefined;
  yes?: boolean | undefined;
  force?: boolean | undefined;
  /** How long to wait for the lease. */
  wait?: string | undefined;
  /** How long the node in hand may take after a first signal. */
  grace?: string | undefined;
  /** Set by a resume. */
  resume?: Resumption | undefined;
  /** Ends after the plan and a connection to every host. */
  dryRun?: boolean | undefined;
}

/** A run that goes on. */
export interface Resumption {
  run: string;
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
  /** The same command again, as a person can paste it. */
  again: string;
}

/** @throws RotaError before anything was touched */
export async function change(work: Work, io: Io): Promise<ExitCode> {
  const { site, args } = work;
  using stop = stopOnSignals(readDuration("--grace", args.grace));
  await using journal = await openJournal(io.env);
  await using lease = args.dryRun ? undefined : await takeLease(journal, claimOf(work, io), stop, io);
  await using hosts = sshHosts({ connectWithin: connectLimits(site), agent: io.env["SSH_AUTH_SOCK"] });
  const { plan, over, lines } = await lookAndPlan(work, journal);
  await openHosts(plan, hosts);
  if (!args.json) for (const line of [...lines, ""]) io.err(line);
  refuse(plan);
  const [first] = tripsOf(plan);
  if (!lease || !first) return sayPlanOnly(plan, lines, args, io);
  await confirm({ yes: args.yes === true, force: args.force === true, name: first.node.name }, io);
  if (stop.afterThisNode.aborted) throw new RotaError("INTERRUPTED", { problem: "stopped", left: untouched });
  return await act(work, plan, { known: journal, lease, hosts, stop, over }, io);
}

const claimOf = ({ command, site, args }: Work, { env }: Io): Wanted => ({
  fleet: site.fleet.name,
  by: whoIsThis(env),
  command,
  reason: args.reason,
  wait: readDuration("--wait", args.wait) ?? 0,
});

async function lookAndPlan(
  { site, args, options }: Work,
  journal: Known,
): Promise<{ plan: Plan; over: string | undefined; lines: string[] }> {
  const { fleet, balancers } = site;
  const [survey, absences, took, [unfinished], planOptions] = await Promise.all([
    balancers.survey("change"),
    journal.absences(fleet.name),
    journal.lastRotations(fleet.name),
    journal.runs(fleet.name, 1),
    options(journal),
  ]);
  const done = (node: { name: string }): ReadonlySet<StepName> =>
    args.resume?.done.get(node.name) ?? new Set();
  const plan = makePlan(fleet, survey, absences, { ...planOptions, done });
  const over =
    unfinished && unfinished.ended === undefined && unfinished.run !== args.resume?.run
      ? unfinished
      : undefined;
  return {
    plan,
    over: over?.run,
    lines: [...(over ? [sayOver(over)] : []), ...planLines(plan, medianOf(took))],
  };
}

/** A run whose process is gone: its nodes that are out go first in any case. */
const sayOver = ({ run, command, by }: RunRecord): string =>
  `run ${run} (${command}, by ${by}) was not finished: rota resume ${run} would do its rest; going on here closes it`;

function sayPlanOnly(plan: Plan, lines: string[], { json }: ChangeArgs, io: Io): ExitCode {
  if (json) io.out(JSON.stringify({ type: "plan", leftAlone: plan.leftAlone, touched: [] }));
  else if (tripsOf(plan).length > 0) io.out("every host answers; nothing was touched");
  else io.out(lines.at(-1) ?? untouched);
  return Exit.ok;
}

function connectLimits({ fleet }: Site): (node: { name: string }) => number {
  const limits = new Map(
    fleet.pools.flatMap(({ nodes, limits: { connect } }) => nodes.map(({ name }) => [name, connect])),
  );
  return ({ name }) => limits.get(name) ?? 10_000;
}

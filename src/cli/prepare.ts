/** What is known before anything is touched, and shown to whoever is asked. */
import { planLines } from "../board/plan.ts";
import type { StepName } from "../events/events.ts";
import type { OpenJournal } from "../journal/journal.ts";
import { type Plan, makePlan, tripsOf } from "../rotation/plan/plan.ts";
import type { Hosts } from "../rotation/ports.ts";
import type { RunRecord } from "../rotation/records.ts";
import type { Trip } from "../rotation/world.ts";
import type { ChangeArgs, Work } from "./change.ts";
import { warn } from "./drift.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { medianOf } from "./median.ts";
import { openHosts } from "./open-hosts.ts";
import { planAsJson } from "./plan-json.ts";
import { refuse, untouched } from "./refuse.ts";
import { sayNotUndoable } from "./not-undoable.ts";
import { commandLine, inventoryArgs, inventoryWords } from "./words.ts";

export interface Prepared {
  plan: Plan;
  /** A run that nobody finished. */
  over: string | undefined;
  lines: string[];
}

/**
 * Looks at everything and reaches every host.
 *
 * @param held We have the lease: a run that has not ended is nobody's any more.
 */
export async function prepare(
  { command, site, args, set, options, notesOf }: Work,
  journal: OpenJournal,
  hosts: Hosts,
  held: boolean,
): Promise<Prepared> {
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
  const doneBefore = ({ name }: { name: string }): boolean => args.resume?.back.has(name) === true;
  const plan = makePlan(fleet, survey, absences, {
    ...planOptions,
    goesOn: args.resume !== undefined,
    status: commandLine(["status", ...inventoryArgs(args.inventory)]),
    tolerated: site.tolerated,
    done,
    onceDone: ({ name }) => args.resume?.onceDone.has(name) === true,
    doneBefore,
  });
  if (planOptions.errand.upgrade) await warn(plan, site, survey, set);
  if (command === "deploy") plan.notes.push(...(await sayNotUndoable(plan, fleet, journal)));
  if (notesOf) plan.notes.push(...(await notesOf(plan, journal)));
  await openHosts(plan, hosts);
  const isOver = unfinished && unfinished.ended === undefined && unfinished.run !== args.resume?.run;
  const over = isOver && (held || !(await journal.holderOf(fleet.name))) ? unfinished : undefined;
  const said = planLines(plan, medianOf(took));
  const byHand = command === "drain" || command === "ready";
  return {
    plan,
    over: over?.run,
    lines: [
      ...(over ? [sayOver(over, args.inventory)] : []),
      // How long deploys took says nothing of a drain, or of a return.
      ...(byHand && tripsOf(plan).length > 0 ? said.slice(0, -1) : said),
    ],
  };
}

/** A run whose process is gone: its nodes that are out go first in any case. */
const sayOver = ({ run, command, by }: RunRecord, inventory: string | undefined): string =>
  `run ${run} (${command}, by ${by}) was not finished: rota resume ${run}${inventoryWords(inventory)} would do its rest; going on here closes it`;

/** Says the plan, or why it can't be carried out; returns its first trip. */
export function showPlan({ plan, lines }: Prepared, args: ChangeArgs, io: Io): Trip | undefined {
  const [first] = tripsOf(plan);
  if (!args.json) for (const line of first ? [...lines, ""] : lines.slice(0, -1)) io.err(line);
  refuse(plan, args.inventory);
  return first;
}

/** Who named nodes meant them: that none was done is no success. */
export function nothingToDo({ args, command }: Work, { plan, lines }: Prepared, io: Io): ExitCode {
  const said = lines.at(-1) ?? untouched;
  if (args.json) io.out(JSON.stringify({ type: "plan", ...planAsJson(plan, undefined) }));
  else io.out(said);
  return args.nodes.length > 0 && command !== "ready" ? Exit.refused : Exit.ok;
}

export function rehearsed({ plan, lines }: Prepared, args: ChangeArgs, io: Io): ExitCode {
  const first = showPlan({ plan, lines, over: undefined }, args, io);
  if (args.json) io.out(JSON.stringify({ type: "plan", ...planAsJson(plan, undefined) }));
  else io.out(first ? "every host answers; nothing was touched" : (lines.at(-1) ?? untouched));
  return Exit.ok;
}

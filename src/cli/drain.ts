import { RotaError } from "../base/errors.ts";
import { drainNode } from "../rotation/node.ts";
import { partToDrain } from "../rotation/plan/participation.ts";
import { type Plan, type PlanOptions, tripsOf } from "../rotation/plan/plan.ts";
import type { Known } from "../rotation/records.ts";
import { type ChangeArgs, change } from "./change.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { withLastSet } from "./last-set.ts";
import { openSite } from "./site.ts";
import { type ToReturn, sayLacking, toReturn } from "./to-return.ts";
import { reasonOf } from "./variables.ts";
import { commandLine, readDuration } from "./words.ts";

export interface DrainArgs extends ChangeArgs {
  /** How long the node is meant to stay out. */
  for?: string | undefined;
}

/** Out by hand: drained, settled, held. It never comes back by itself. Told again, it needs no reason again. */
export async function drain(args: DrainArgs, io: Io): Promise<ExitCode> {
  const meant = readDuration("--for", args.for);
  const until = meant === undefined ? undefined : new Date(Date.now() + meant);
  const site = openSite(args, io);
  // Without its secrets before it is quoted: afterwards they may look otherwise.
  const again = commandLine(wordsOf({ ...args, reason: reasonOf(args.reason, site.fleet, io.env) }));
  const options: PlanOptions = {
    nodes: site.nodes,
    part: (_, entries, absence) => partToDrain(entries, absence),
    errand: { upgrade: false, hostNeeded: false, hold: { until } },
    force: args.force === true,
    variablesOf: () => ({ variables: {}, secrets: [] }),
  };
  // A status page may be told by a command, and be found at a URL, that need the node's variables.
  const withVariables = withLastSet(site, {}, io.env, options, "only its url");
  const given: DrainArgs = { ...args, reason: args.reason?.trim() || undefined };
  const work = { command: "drain", site, args: given, set: {}, travel: drainNode, again } as const;
  const byPage = site.fleet.pools.some(
    ({ statusPage, nodes }) => statusPage && nodes.some((node) => site.nodes.includes(node)),
  );
  let back: ToReturn | undefined;
  const notesOf = async (plan: Plan, known: Known): Promise<string[]> => {
    back = await toReturn(tripsOf(plan), site.fleet.name, known, args.inventory);
    return sayLacking(back);
  };
  const withReason = async (journal: Known): Promise<PlanOptions> => {
    const known = given.reason ? undefined : await journal.absences(site.fleet.name);
    if (!known || site.nodes.every(({ name }) => known.has(name)))
      return byPage ? withVariables(journal) : options;
    throw new RotaError("USAGE", {
      problem: "a drain needs a reason, for whoever finds the node out of rotation",
      next: `${again} --reason "disk swap"`,
    });
  };
  const code = await change({ ...work, options: withReason, notesOf }, io);
  if (code === Exit.ok && !args.json && !args.dryRun)
    for (const command of back?.commands ?? []) io.out(`  back again with: ${command}`);
  return code;
}

const wordsOf = ({ nodes, inventory, reason, tolerate = [], for: until }: DrainArgs): string[] => [
  "drain",
  ...nodes,
  ...(inventory === undefined ? [] : ["-i", inventory]),
  ...(reason?.trim() ? ["--reason", reason] : []),
  ...tolerate.flatMap((name) => ["--tolerate", name]),
  ...(until === undefined ? [] : ["--for", until]),
];

/** What follows a deploy whose release failed, where the inventory says `rollout.on_failure: rollback`. */
import { RotaError, messageOf } from "../base/errors.ts";
import type { Fleet } from "../inventory/fleet.ts";
import type { Hosts } from "../rotation/ports.ts";
import type { WholeRun } from "../rotation/records.ts";
import { type Acted, type Means, act } from "./act.ts";
import type { ChangeArgs } from "./change.ts";
import type { RolloutArgs } from "./rollout-options.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { prepare, showPlan } from "./prepare.ts";
import { errorLines } from "./show-error.ts";
import type { Site } from "./site.ts";
import { mayBeRepeated, whatToUndo } from "./undo.ts";
import { workToUndo } from "./undo-work.ts";
import { isUpgradeUnknown } from "../rotation/unfinished.ts";
import { commandLine } from "./words.ts";

/**
 * Puts back what the run upgraded, under the same lease. Nodes whose upgrade may still be running, or whose host can't
 * be reached, are left as they are and said: all others must not wait for them.
 */
export async function rollBackNow(
  failed: Acted,
  { site, args }: { site: Site; args: ChangeArgs & Pick<RolloutArgs, "minServing"> },
  means: Means,
  io: Io,
): Promise<ExitCode> {
  const { known } = means;
  const { inventory, minServing } = args;
  io.err(`rollout.on_failure: what run ${failed.run} upgraded is put back`);
  try {
    const run = await known.run(failed.run);
    if (!run) throw new RotaError("JOURNAL", { problem: `run ${failed.run} is not in the journal` });
    const skip = await leftAsTheyAre(run, site.fleet, means.hosts, io);
    const undone = await whatToUndo(run, site.fleet, known, { inventory, skip, yes: true }, io);
    if (undone.nodes.length === 0) return nothingLeft(failed, undone.notes, args, io);
    const given = {
      inventory,
      minServing,
      reason: args.reason,
      tolerate: args.tolerate,
      json: args.json,
      yes: true,
    };
    const work = workToUndo(undone, { ...given, nodes: undone.nodes, skip }, io, site);
    const ready = await prepare(work, known, means.hosts, true);
    if (!showPlan(ready, work.args, io))
      return notRolledBack(failed, "nothing of it could be done", undefined, args, io);
    const { run: own, code, failure } = await act(work, ready.plan, { ...means, over: undefined }, io);
    if (failure) return code;
    const skipped = skip.length > 0 ? `; ${skip.join(", ")} is as the run left it` : "";
    const what = `run ${failed.run} failed, and is rolled back by run ${own}${skipped}`;
    io.err(`rota: ${what}`);
    io.err(`  next:  ${commandLine(["show", failed.run, ...where(args)])}, for what failed`);
    return Exit.failed;
  } catch (thrown) {
    if (!(thrown instanceof RotaError)) throw thrown;
    return notRolledBack(failed, thrown.message, adviceOf(thrown, failed, args), args, io);
  }
}

/** Whoever failed went back by itself, and no other had its turn. */
function nothingLeft(failed: Acted, notes: Map<string, string>, args: ChangeArgs, io: Io): ExitCode {
  io.err(`rota: run ${failed.run} failed, and nothing is left to put back`);
  for (const [node, note] of notes) io.err(`  ${node} ${note}`);
  io.err(`  next:  ${commandLine(["show", failed.run, ...where(args)])}, for what failed`);
  return Exit.failed;
}

const where = ({ inventory }: ChangeArgs): string[] => (inventory === undefined ? [] : ["-i", inventory]);

/** Where it could not be decided, that says it all; else the rollback is typed again once it can be done. */
function adviceOf({ code, next }: RotaError, { run }: Acted, args: ChangeArgs): string | undefined {
  if (code === "REFUSED" || next === undefined) return next;
  return `${next.replace(/, (lower --min-serving, )?or --force past this guard$/m, "")}; then: ${commandLine(["rollback", run, ...where(args)])}`;
}

function notRolledBack(
  failed: Acted,
  why: string,
  next: string | undefined,
  args: ChangeArgs,
  io: Io,
): ExitCode {
  const error = new RotaError("REFUSED", {
    problem: `run ${failed.run} failed, and is not rolled back: ${why}`,
    left: failed.failure?.left ?? "as the run left it",
    next: next ?? commandLine(["rollback", failed.run, ...where(args)]),
  });
  if (args.json) {
    const { code, message: problem, left } = error;
    io.out(JSON.stringify({ error: { code, problem, left, next: error.next } }));
  }
  for (const line of errorLines(error)) io.err(line);
  return Exit.failed;
}

/** They are out, or a person must look at them first. */
async function leftAsTheyAre(run: WholeRun, fleet: Fleet, hosts: Hosts, io: Io): Promise<string[]> {
  const left: string[] = [];
  for (const pool of fleet.pools) {
    for (const node of pool.nodes.filter(({ name }) =>
      run.steps.some((step) => step.node === name && step.step !== "prepare"),
    )) {
      const unknown = isUpgradeUnknown(run, node.name) && !mayBeRepeated(pool);
      const gone = await hosts.open(node).then(() => undefined, messageOf);
      if (!unknown && gone === undefined) continue;
      left.push(node.name);
      io.err(`${node.name} is left as it is: ${gone ?? "nobody knows whether its upgrade has ended"}`);
    }
  }
  return left;
}

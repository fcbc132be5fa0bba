/** What undoing a run comes to: which nodes, what each goes back to, and why it can't be done. */
import { RotaError, messageOf } from "../base/errors.ts";
import { shownValues } from "../base/quote.ts";
import type { Fleet, Node, Pool } from "../inventory/fleet.ts";
import { selectNodes } from "../inventory/select.ts";
import type { Change, Known, WholeRun } from "../rotation/records.ts";
import { type Undo, undoOf, undoingPool, valuesToUndo } from "../rotation/undo.ts";
import { isUpgradeUnknown } from "../rotation/unfinished.ts";
import type { NodeRelease } from "../rotation/release/release.ts";
import { isYes } from "./confirm.ts";
import type { Io } from "./io.ts";
import { untouched } from "./refuse.ts";
import { releasesBefore } from "./undo-releases.ts";
import { askedDone } from "./steps-done.ts";
import { valuesMissing, variablesOf } from "./variables.ts";
import { commandLine } from "./words.ts";

export interface Undone {
  run: WholeRun;
  /** Each pool as its nodes are put back. */
  fleet: Fleet;
  /** Names, in the order of the file. */
  nodes: string[];
  /** What each of them is given, by name. */
  sets: Record<string, Record<string, string>>;
  /** Releases that they had, and whose link is switched back. */
  releases: ReadonlyMap<string, NodeRelease>;
  /** Nodes that are only put back: nothing was done on them. */
  onlyBack: string[];
  /** For people, by name: what it goes back to, or why it is left alone. */
  notes: Map<string, string>;
}

export interface Wishes {
  inventory?: string | undefined;
  skip: string[];
  /** Undo also what may still be running. */
  retry?: boolean | undefined;
  yes?: boolean | undefined;
}

/** A fleet as its nodes are put back. */
export const undoingFleet = (fleet: Fleet): Fleet => ({ ...fleet, pools: fleet.pools.map(undoingPool) });

interface Sorted {
  node: Node;
  pool: Pool;
  undo: Undo;
  changes: Change[];
}

/** @throws RotaError REFUSED where it is not known what a node ran before, or whether its upgrade has ended */
export async function whatToUndo(
  run: WholeRun,
  whole: Fleet,
  known: Known,
  wishes: Wishes,
  io: Io,
): Promise<Undone> {
  const fleet = undoingFleet(whole);
  const changes = await known.changes(fleet.name, run.nodes);
  const isOut = await outBecauseOf(run, known);
  const skipped = new Set(
    wishes.skip.length > 0 ? selectNodes(fleet, wishes.skip).map(({ name }) => name) : [],
  );
  const sorted = fleet.pools.flatMap((pool) =>
    pool.nodes
      .filter(({ name }) => run.nodes.includes(name))
      .map((node): Sorted => {
        const own = changes.filter((change) => change.node === node.name);
        return { node, pool, undo: undoOf(run, node.name, own, isOut(node.name)), changes: own };
      }),
  );
  const wanted = sorted.filter(({ node }) => !skipped.has(node.name));
  refuseUnknown(run, wanted, wishes, io);
  const todo = wanted.filter(isTodo);
  await settleUnknown(run, todo, whole, known, wishes, io);
  const notes = new Map(
    sorted.map(({ node, undo }) => [
      node.name,
      skipped.has(node.name) ? "skipped on the command line" : sayUndo(run, undo),
    ]),
  );
  return {
    run,
    fleet,
    nodes: todo.map(({ node }) => node.name),
    sets: Object.fromEntries(todo.map((one) => [one.node.name, setOf(one)])),
    releases: await releasesBefore(
      run,
      todo.filter(({ undo }) => undo.kind === "back to"),
      known,
    ),
    onlyBack: todo.filter(({ undo }) => undo.kind === "put back").map(({ node }) => node.name),
    notes,
  };
}

const isTodo = ({ undo: { kind } }: Sorted): boolean => kind === "back to" || kind === "put back";

/** What was only taken out runs what it ran. */
const setOf = ({ undo, changes }: Sorted): Record<string, string> =>
  (undo.kind === "back to" ? undo.before : changes.find(({ good }) => good))?.set ?? {};

/** Taken out by the run, or by a try to undo it. */
async function outBecauseOf({ run, fleet }: WholeRun, known: Known): Promise<(node: string) => boolean> {
  const absences = await known.absences(fleet);
  const tries = (await known.runs(fleet, 1_000)).filter(({ undoes }) => undoes === run);
  const theirs = new Set([run, ...tries.map((one) => one.run)]);
  return (node) => {
    const absence = absences.get(node);
    return absence?.kind === "run" && theirs.has(absence.run);
  };
}

function sayUndo(run: WholeRun, undo: Undo): string {
  switch (undo.kind) {
    case "back to":
      return `goes back to ${saySet(undo.before.set)} (run ${undo.before.run})`;
    case "put back":
      return `${undo.wentBack ? "went back by itself" : "was not upgraded"}, and is only put back`;
    case "went back":
      return `went back by itself in run ${run.run}`;
    case "untouched":
      return `run ${run.run} did not get to it: it is as it was`;
    case "undone":
      return `was put back already by run ${undo.by}`;
    case "changed since":
      return `was changed since by run ${undo.by.run}`;
    case "unknown":
      return "nobody knows what it ran before";
  }
}

export const saySet = (set: Record<string, string>): string => shownValues(set).join(" ") || "what it ran";

/** Every reason at once. */
function refuseUnknown(run: WholeRun, wanted: Sorted[], { inventory }: Wishes, { env }: Io): void {
  const where = inventory === undefined ? [] : ["-i", inventory];
  const problems: string[] = [];
  const next: string[] = [];
  const since = wanted.flatMap(({ node, undo }) =>
    undo.kind === "changed since" ? [{ node, by: undo.by }] : [],
  );
  for (const { node, by } of since)
    problems.push(`${node.name} was changed since by run ${by.run} (${by.command} ${saySet(by.set)})`);
  const [later] = since;
  if (later)
    next.push(`${commandLine(["rollback", later.by.undoes ?? later.by.run, ...where])}, which comes first`);
  const lacking = wanted.flatMap((one) => lackOf(one, run, env));
  problems.push(...lacking.map(({ problem }) => problem));
  const unset = lacking.filter(({ keys }) => keys.length > 0);
  const keys = [...new Set(unset.flatMap((one) => one.keys))];
  if (unset.length > 0) {
    const names = unset.map(({ node }) => node);
    next.push(
      `${commandLine(["deploy", ...names, ...where])} ${keys.map((key) => `--set ${key}=…`).join(" ")}`,
    );
    next.push(commandLine(["rollback", run.run, ...where, ...names.flatMap((name) => ["--skip", name])]));
  }
  next.push(...lacking.flatMap(({ keys: none, advice }) => (none.length === 0 && advice ? [advice] : [])));
  if (problems.length === 0) return;
  throw new RotaError("REFUSED", {
    problem: problems.join("\n"),
    left: untouched,
    next: [...new Set(next)].join("; or "),
  });
}

interface Lack {
  node: string;
  problem: string;
  /** What a deploy of the node must be given. */
  keys: string[];
  advice?: string | undefined;
}

function lackOf({ node, pool, undo, changes }: Sorted, run: WholeRun, env: Io["env"]): Lack[] {
  const { name } = node;
  if (undo.kind === "unknown") {
    const problem = `nobody knows what ${name} ran before run ${run.run}: the journal has no earlier good run of it`;
    return [{ node: name, problem, keys: pool.needs.length > 0 ? pool.needs : Object.keys(run.set) }];
  }
  if (!isTodo({ node, pool, undo, changes })) return [];
  const before = setOf({ node, pool, undo, changes });
  const values = undo.kind === "put back" ? { variables: before } : valuesToUndo(pool, before);
  const from = undo.kind === "back to" ? `run ${undo.before.run}` : "its last good run";
  if ("lacks" in values) {
    const problem = `${name}: ${from} knows no ${values.lacks.join(", ")}, which its way back needs`;
    return [{ node: name, problem, keys: values.lacks }];
  }
  const hidden = Object.keys(before).filter((key) => before[key]?.includes("[secret]"));
  if (hidden.length > 0)
    return [
      {
        node: name,
        problem: `${name}: ${hidden.join(", ")} of ${from} was a secret, and is not stored`,
        keys: hidden,
      },
    ];
  try {
    const { variables } = variablesOf(node, values.variables, run.fleet, env);
    const keys = valuesMissing(pool, Object.keys(variables), "whole check");
    if (keys.length === 0) return [];
    return [
      {
        node: name,
        problem: `${name}: its check asks for ${keys.join(", ")}, and ${from} was not given that`,
        keys,
      },
    ];
  } catch (thrown) {
    if (!(thrown instanceof RotaError)) throw thrown;
    return [{ node: name, problem: messageOf(thrown), keys: [], advice: thrown.next }];
  }
}

/** The switch of a link waits for one that may still be running, and sees what came of it. */
export const mayBeRepeated = ({ upgrade, release }: Pool): boolean =>
  upgrade ? upgrade.repeat === "yes" : release !== undefined;

/** What may still be running would undo the undoing. @throws RotaError REFUSED unless somebody says that it has ended */
async function settleUnknown(
  run: WholeRun,
  todo: Sorted[],
  whole: Fleet,
  known: Known,
  wishes: Wishes,
  io: Io,
): Promise<void> {
  if (wishes.retry) return;
  const open: Node[] = [];
  for (const pool of whole.pools) {
    for (const node of pool.nodes) {
      const one = todo.find((sorted) => sorted.node.name === node.name);
      const [last] = one?.changes ?? [];
      const by = last && (last.run === run.run ? run : await known.run(last.run));
      if (!last || !by || one?.undo.kind !== "back to" || !isUpgradeUnknown(by, node.name)) continue;
      const its = by.command === "rollback" ? undoingPool(pool) : pool;
      if (mayBeRepeated(its)) continue;
      const asked = { run: by, fleet: whole, setOf: () => last.set };
      if ((await askedDone([node], its, asked, io)).length === 0) open.push(node);
    }
  }
  if (open.length === 0) return;
  const names = open.map(({ name }) => name);
  const problem = `nobody knows whether the upgrade of ${names.join(", ")} has ended: what still runs there could undo the rollback`;
  if (!wishes.yes && (await isYes(`${problem}; go on all the same? [y/N] `, io))) return;
  const words = ["rollback", run.run, ...(wishes.inventory === undefined ? [] : ["-i", wishes.inventory])];
  throw new RotaError("REFUSED", {
    problem,
    left: untouched,
    next: `${commandLine([...words, "--retry"])}, once you have seen that it has ended; or ${commandLine([...words, ...names.flatMap((name) => ["--skip", name])])}`,
  });
}

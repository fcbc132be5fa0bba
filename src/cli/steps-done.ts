/** What a resume need not do again. An upgrade whose end nobody knows is asked about first, on the node itself. */
import { RotaError } from "../base/errors.ts";
import type { StepName } from "../events/events.ts";
import type { Fleet, Node, Pool, Upgrade } from "../inventory/fleet.ts";
import type { Hosts } from "../rotation/ports.ts";
import type { WholeRun } from "../rotation/records.ts";
import { doneSteps, isUndoUnknown, isUpgradeUnknown, onceOf } from "../rotation/unfinished.ts";
import { isYes } from "./confirm.ts";
import type { Io } from "./io.ts";
import { untouched } from "./refuse.ts";
import { hostsFor } from "./sudo.ts";
import { variablesOf } from "./variables.ts";
import { inventoryWords } from "./words.ts";

interface Asked {
  run: WholeRun;
  fleet: Fleet;
  /** What the node was given with --set. */
  setOf: (node: Node) => Record<string, string>;
}

interface Rest extends Asked {
  /** Names of the nodes that are left, and of those among them that failed. */
  nodes: string[];
  failed: Set<string>;
}

interface Wishes {
  inventory?: string | undefined;
  retry?: boolean | undefined;
  yes?: boolean | undefined;
}

/** @throws RotaError USAGE where an upgrade may have been done, and nobody says whether it may be repeated */
export async function stepsDone(
  rest: Rest,
  wishes: Wishes,
  io: Io,
): Promise<Map<string, ReadonlySet<StepName>>> {
  const { run, fleet, nodes, failed } = rest;
  const done = new Map(nodes.map((node) => [node, doneSteps(run, node, failed.has(node))]));
  for (const pool of fleet.pools) {
    const { upgrade } = pool;
    const cutOff = pool.nodes.filter(({ name }) => nodes.includes(name) && isUpgradeUnknown(run, name));
    if (!upgrade || cutOff.length === 0) continue;
    // One that was being undone may say that it is done, and be undone all the same.
    const askable = cutOff.filter(({ name }) => !isUndoUnknown(run, name));
    const seenDone = await askedDone(askable, pool, rest, io);
    for (const node of seenDone) {
      done.get(node.name)?.add("upgrade");
      io.err(`the upgrade of ${node.name} was done, as upgrade.done_if says; it is not done again`);
    }
    await mayRepeat(
      run,
      cutOff.filter((node) => !seenDone.includes(node)).map(({ name }) => name),
      upgrade,
      wishes,
      io,
    );
  }
  return done;
}

/** Those of the nodes that say themselves that their upgrade is done. */
export async function askedDone(
  nodes: Node[],
  pool: Pool,
  { run, fleet, setOf }: Asked,
  io: Io,
  what: "upgrade" | "once" = "upgrade",
): Promise<Node[]> {
  const question = pool[what]?.doneIf;
  if (question === undefined || nodes.length === 0) return [];
  const names = nodes.map(({ name }) => name).join(", ");
  io.err(`asking ${names} whether the ${what} that was cut off is done (${what}.done_if)`);
  const { connect: connectLimit } = pool.limits;
  await using hosts = hostsFor(io, () => connectLimit);
  const answers = await Promise.all(
    nodes.map(async (node) => {
      const { variables } = variablesOf(node, setOf(node), fleet.name, io.env);
      return await isDone(node, question, { ...variables, ROTA_RUN: run.run }, pool, hosts);
    }),
  );
  return nodes.filter((_, i) => answers[i]);
}

async function isDone(
  node: Node,
  question: string,
  variables: Record<string, string>,
  { limits }: Pool,
  hosts: Hosts,
): Promise<boolean> {
  const { signal } = new AbortController();
  const options = { variables, within: limits.command, signal, onOutput: () => undefined };
  const outcome = await hosts.run(node, question, options);
  if (outcome.kind !== "unknown") return outcome.kind === "done";
  throw new RotaError("COMMAND_UNKNOWN", {
    problem: `${node.name} does not say whether what was cut off is done (done_if): ${outcome.why}`,
    left: untouched,
    next: `the same again, or with --skip ${node.name}`,
  });
}

/** Pools in which what is done once need not be done. @throws RotaError USAGE where nobody knows, or says */
export async function onceDoneIn(rest: Rest, wishes: Wishes, io: Io): Promise<Set<string>> {
  const { run, fleet } = rest;
  const done = new Set<string>();
  for (const pool of fleet.pools) {
    const others = fleet.pools
      .filter((one) => one !== pool)
      .flatMap(({ nodes }) => nodes.map(({ name }) => name));
    const state = onceOf(run, new Set(others));
    if (!pool.once || !state) continue;
    const node = pool.nodes.find(({ name }) => name === state.node);
    if (state.done || (node && (await askedDone([node], pool, rest, io, "once")).length > 0))
      done.add(pool.name);
    else await mayRepeat(run, [state.node], pool.once, wishes, io, "once");
  }
  return done;
}

async function mayRepeat(
  { run }: WholeRun,
  nodes: string[],
  { repeat }: Upgrade,
  { inventory, retry, yes }: Wishes,
  io: Io,
  what: "upgrade" | "once" = "upgrade",
): Promise<void> {
  const [first] = nodes;
  if (!first || repeat === "yes" || retry) return;
  const problem = `nobody knows whether the ${what} of ${nodes.join(", ")} was done`;
  if (repeat === "ask" && !yes && (await isYes(`${problem}; run it again? [y/N] `, io))) return;
  throw new RotaError("USAGE", {
    problem: `${problem}, and the inventory does not say that it may be repeated (${what}.repeat)`,
    left: untouched,
    next: `rota resume ${run}${inventoryWords(inventory)} --retry, which runs it again${what === "once" ? "" : `; or with --skip ${first}`}`,
  });
}

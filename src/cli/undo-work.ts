import type { Node } from "../inventory/fleet.ts";
import { readyNode, rotateNode } from "../rotation/node.ts";
import { partOf, partToReady } from "../rotation/plan/participation.ts";
import type { Part } from "../rotation/plan/participation.ts";
import type { PlanOptions } from "../rotation/plan/plan.ts";
import type { Travel } from "../rotation/rollout.ts";
import { valuesToUndo } from "../rotation/undo.ts";
import { nameOf } from "../rotation/world.ts";
import type { ChangeArgs, Work } from "./change.ts";
import type { Io } from "./io.ts";
import { type Site, openSite } from "./site.ts";
import type { Undone } from "./undo.ts";
import { checkTemplates, setWords, variablesOf } from "./variables.ts";
import { commandLine, inventoryArgs, readShare, readShares } from "./words.ts";

interface UndoArgs extends ChangeArgs {
  skip: string[];
  batch?: string | undefined;
  minServing?: string | undefined;
}

/** @param at where the balancers are asked already */
export function workToUndo(undone: Undone, args: UndoArgs, io: Io, at?: Site): Work {
  const { run, fleet, sets, onlyBack } = undone;
  const site = { ...(at ?? openSite(args, io)), fleet };
  site.nodes = fleet.pools.flatMap(({ nodes }) => nodes.filter(({ name }) => undone.notes.has(name)));
  const back = new Set(onlyBack);
  const travel: Travel = (trip, world) => (back.has(nameOf(trip)) ? readyNode : rotateNode)(trip, world);
  const options: PlanOptions = {
    nodes: site.nodes,
    batch: readShares("--batch", args.batch),
    minServing: readShare("--min-serving", args.minServing, 0),
    maxFailures: 0,
    errand: { upgrade: true, hostNeeded: true, hold: undefined },
    force: args.force === true,
    part: (node, entries, absence) => {
      const why = undone.notes.get(node.name) ?? "not of this rollback";
      if (!undone.nodes.includes(node.name)) return { takesPart: false, why };
      const part = back.has(node.name)
        ? partToReady(entries, absence, leavesByPage(site, node))
        : partOf(entries, absence, { named: true, includeDown: true, includeHeld: true });
      return withNote(part, why);
    },
    releaseOf: ({ name }) => undone.releases.get(name),
    variablesOf: (pool, node) => {
      const values = valuesToUndo(pool, sets[node.name] ?? {});
      const known = variablesOf(node, "lacks" in values ? {} : values.variables, fleet.name, io.env);
      checkTemplates(
        pool,
        node,
        known.variables,
        "whole check",
        (missing) =>
          `${commandLine(["deploy", node.name, ...inventoryArgs(args.inventory)])} ${setWords(missing)}`,
      );
      return known;
    },
  };
  return {
    command: "rollback",
    site,
    args: { ...args, onlyBack },
    set: commonOf(Object.values(sets)),
    undoes: { run: run.run, sets },
    travel,
    options: async () => options,
    again: commandLine(wordsOf(run.run, args)),
  };
}

const leavesByPage = ({ fleet }: Site, node: Node): boolean =>
  fleet.pools.some(({ statusPage, nodes }) => statusPage && nodes.includes(node));

const withNote = (part: Part, note: string): Part =>
  part.takesPart ? { ...part, note: [part.note, note].filter(Boolean).join("; ") } : part;

/** What all are given alike. */
function commonOf([first = {}, ...others]: Record<string, string>[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(first).filter(([key, value]) => others.every((set) => set[key] === value)),
  );
}

const wordsOf = (run: string, { inventory, skip, batch, minServing, tolerate = [] }: UndoArgs): string[] => [
  "rollback",
  run,
  ...(inventory === undefined ? [] : ["-i", inventory]),
  ...skip.flatMap((node) => ["--skip", node]),
  ...(batch === undefined ? [] : ["--batch", batch]),
  ...(minServing === undefined ? [] : ["--min-serving", minServing]),
  ...tolerate.flatMap((name) => ["--tolerate", name]),
];

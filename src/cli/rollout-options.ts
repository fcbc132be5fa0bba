import type { Fleet, Node } from "../inventory/fleet.ts";
import { selectNodes } from "../inventory/select.ts";
import { partOf } from "../rotation/plan/participation.ts";
import type { PlanOptions } from "../rotation/plan/plan.ts";
import type { Site } from "./site.ts";
import { readCount, readShare, readShares } from "./words.ts";

/** What `deploy` and `plan` have in common. */
export interface RolloutArgs {
  set: string[];
  batch?: string | undefined;
  minServing?: string | undefined;
  maxFailures?: string | undefined;
  skip: string[];
  includeDown?: boolean | undefined;
  includeHeld?: boolean | undefined;
}

/** Nodes that --skip leaves out. @throws RotaError USAGE */
export function skippedBy({ skip }: Pick<RolloutArgs, "skip">, fleet: Fleet): (node: Node) => boolean {
  const skipped = new Set(skip.length > 0 ? selectNodes(fleet, skip) : []);
  return (node) => skipped.has(node);
}

/** The options of the plan, as far as the command line says them. @throws RotaError USAGE */
export function rolloutOptions(
  args: RolloutArgs & { nodes: string[] },
): (site: Site) => Omit<PlanOptions, "force" | "variablesOf"> {
  const batch = readShares("--batch", args.batch);
  const minServing = readShare("--min-serving", args.minServing, 0);
  const maxFailures = readCount("--max-failures", args.maxFailures);
  const named = new Set(args.nodes);
  const [includeDown, includeHeld] = [args.includeDown === true, args.includeHeld === true];
  return ({ fleet, nodes }) => {
    const skipped = skippedBy(args, fleet);
    return {
      nodes,
      batch,
      minServing,
      maxFailures,
      errand: { upgrade: true, hostNeeded: true, hold: undefined },
      part: (node, entries, absence) =>
        skipped(node)
          ? { takesPart: false, why: "skipped on the command line" }
          : partOf(entries, absence, { named: named.has(node.name), includeDown, includeHeld }),
    };
  };
}

import type { PlanOptions } from "../rotation/plan/plan.ts";
import type { Known } from "../rotation/records.ts";
import type { Io } from "./io.ts";
import type { Site } from "./site.ts";
import { checkTemplates, setWords, variablesOf } from "./variables.ts";

/**
 * For work without an upgrade: the node runs what its last good deploy was given, unless --set says otherwise.
 *
 * @param asked what of its check must have all its values
 */
export function withLastSet(
  { fleet, nodes }: Site,
  set: Record<string, string>,
  env: Io["env"],
  options: Omit<PlanOptions, "variablesOf">,
  asked: "whole check" | "only its url" = "whole check",
): (journal: Known) => Promise<PlanOptions> {
  return async (journal) => {
    const sets = await Promise.all(nodes.map(({ name }) => journal.lastSet(fleet.name, name)));
    const lastSets = new Map(nodes.map(({ name }, i) => [name, sets[i]]));
    return {
      ...options,
      variablesOf(pool, node) {
        const known = variablesOf(node, { ...lastSets.get(node.name), ...set }, fleet.name, env);
        // A drain is given no values: what its page's address needs must stand in the inventory.
        const advice = (missing: string[]): string =>
          asked === "whole check"
            ? `the same with ${setWords(missing)}, as ${node.name} runs it now`
            : `write ${missing.join(", ")} into vars: of ${node.name} in ${fleet.file}; then the same again`;
        checkTemplates(pool, node, known.variables, asked, advice);
        return known;
      },
    };
  };
}

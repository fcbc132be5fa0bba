import { type Plan, tripsOf } from "../rotation/plan/plan.ts";
import type { Known } from "../rotation/records.ts";
import type { Trip } from "../rotation/world.ts";
import type { Site } from "./site.ts";
import { setWords, valuesMissing } from "./variables.ts";
import { inventoryWords } from "./words.ts";

/**
 * What the way back of a node that is drained by hand asks for and the journal does not know: better heard before
 * the node is out than when somebody wants it back. Nothing where rota has deployed to all of them.
 */
export async function sayToReturn(
  plan: Plan,
  { fleet }: Pick<Site, "fleet">,
  known: Known,
  inventory: string | undefined,
): Promise<string[]> {
  const missing = await Promise.all(
    tripsOf(plan).map(async (trip) => [trip, await missingFor(trip)] as const),
  );
  const lacking = missing.filter(([, values]) => values.length > 0);
  if (lacking.length === 0) return [];
  const nodes = lacking.map(([{ node }]) => node.name);
  const values = new Set(lacking.flatMap(([, names]) => names));
  return [
    `no deploy of ${nodes.join(", ")} is in the journal: to put back what is drained now, say what runs there: ` +
      `rota ready ${nodes.join(" ")}${inventoryWords(inventory)} ${setWords(values)}`,
  ];

  async function missingFor({ pool, node }: Trip): Promise<string[]> {
    const last = await known.lastSet(fleet.name, node.name);
    return valuesMissing(pool, [...Object.keys(node.vars), ...Object.keys(last ?? {})], "whole check");
  }
}

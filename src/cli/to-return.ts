import type { Node, Pool } from "../inventory/fleet.ts";
import type { Known } from "../rotation/records.ts";
import type { Site } from "./site.ts";
import { setWords, valuesMissing } from "./variables.ts";
import { commandLine, inventoryArgs } from "./words.ts";

export interface ToReturn {
  /** What puts the nodes back, as a person can type it. */
  command: string;
  /** Nodes of which nobody knows what they run, as far as their check asks for it. */
  unknown: string[];
}

/** The way back of nodes that are drained by hand: better heard before they are out than when somebody wants them back. */
export async function toReturn(
  { fleet, nodes }: Site,
  known: Known,
  words: string[],
  inventory: string | undefined,
): Promise<ToReturn> {
  const lacking = await Promise.all(
    fleet.pools.flatMap((pool) =>
      pool.nodes.filter((node) => nodes.includes(node)).map((node) => lackOf(pool, node)),
    ),
  );
  const missing = new Set(lacking.flatMap(({ lacks }) => lacks));
  const command = commandLine(["ready", ...words, ...inventoryArgs(inventory)]);
  return {
    command: `${command}${missing.size > 0 ? ` ${setWords(missing)}` : ""}`,
    unknown: lacking.filter(({ lacks }) => lacks.length > 0).map(({ name }) => name),
  };

  async function lackOf(pool: Pool, { name, vars }: Node): Promise<{ name: string; lacks: string[] }> {
    const last = await known.lastSet(fleet.name, name);
    return {
      name,
      lacks: valuesMissing(pool, [...Object.keys(vars), ...Object.keys(last ?? {})], "whole check"),
    };
  }
}

export const sayUnknown = ({ command, unknown }: ToReturn): string[] =>
  unknown.length === 0
    ? []
    : [
        `no deploy of ${unknown.join(", ")} is in the journal: to put back what is drained now, say what runs there: ${command}`,
      ];

/** The way back of nodes that are drained by hand: better heard before they are out than when somebody wants them back. */
import type { Known } from "../rotation/records.ts";
import { type Trip, nameOf } from "../rotation/world.ts";
import { setWords, valuesMissing } from "./variables.ts";
import { commandLine, inventoryArgs } from "./words.ts";

export interface ToReturn {
  /** What puts them back, as a person can type it; those that must be told what they run by a command of their own. */
  commands: string[];
  /** Nodes of which nobody knows what they run, as far as their check asks for it. */
  unknown: string[];
}

/** @param trips of the nodes that are drained, and of no other: who was out before belongs to somebody else */
export async function toReturn(
  trips: Trip[],
  fleet: string,
  known: Known,
  inventory: string | undefined,
): Promise<ToReturn> {
  const lacking = await Promise.all(trips.map(async (trip) => ({ trip, lacks: await lacksOf(trip) })));
  const without = lacking.filter(({ lacks }) => lacks.length > 0);
  const unknown = without.map(({ trip }) => nameOf(trip));
  const others = trips.map(nameOf).filter((name) => !unknown.includes(name));
  const ready = (names: string[]): string => commandLine(["ready", ...names, ...inventoryArgs(inventory)]);
  return {
    commands: [
      ...(others.length > 0 ? [ready(others)] : []),
      ...(unknown.length > 0
        ? [`${ready(unknown)} ${setWords(new Set(without.flatMap(({ lacks }) => lacks)))}`]
        : []),
    ],
    unknown,
  };

  async function lacksOf({ pool, node }: Trip): Promise<string[]> {
    const last = await known.lastSet(fleet, node.name);
    return valuesMissing(pool, [...Object.keys(node.vars), ...Object.keys(last ?? {})], "whole check");
  }
}

export const sayLacking = ({ commands, unknown }: ToReturn): string[] =>
  unknown.length === 0
    ? []
    : [
        `the journal does not know what ${unknown.join(", ")} runs: to put it back, say so: ${commands.at(-1)}`,
      ];

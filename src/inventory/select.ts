import { RotaError } from "../base/errors.ts";
import type { Fleet, Node } from "./fleet.ts";
import { near } from "./near.ts";
import { cut, shown } from "./names.ts";
import { planOf } from "./problems.ts";

/**
 * The nodes that a person named: by name, by glob (`web*`, `web?`) or by pool (`@web`); all without a word.
 * Each once, in the order of the file.
 *
 * @throws RotaError USAGE for each word that names no node.
 */
export function selectNodes(fleet: Fleet, words: readonly string[]): Node[] {
  const all = placedNodes(fleet);
  if (words.length === 0) return all.map(({ node }) => node);
  const fits = words.map((word) => ({ word, matches: matcher(word) }));
  const unmatched = fits.filter(({ matches }) => !all.some(matches)).map(({ word }) => word);
  if (unmatched.length > 0) throw noSuchNode(fleet, unmatched);
  return all.filter((placed) => fits.some(({ matches }) => matches(placed))).map(({ node }) => node);
}

interface Placed {
  node: Node;
  pool: string;
}

const placedNodes = (fleet: Fleet): Placed[] =>
  fleet.pools.flatMap((pool) => pool.nodes.map((node) => ({ node, pool: pool.name })));

function matcher(word: string): (placed: Placed) => boolean {
  const pattern = word.replace(/^@/, "");
  return word.startsWith("@")
    ? ({ pool }) => matchesGlob(pool, pattern)
    : ({ node }) => matchesGlob(node.name, pattern);
}

/** Never goes back further than to the last star, as a regular expression of many stars would. */
function matchesGlob(text: string, pattern: string): boolean {
  let [at, from] = [0, 0];
  let lastStar: { at: number; from: number } | undefined;
  while (from < text.length) {
    const sign = pattern[at];
    if (sign === "*") {
      lastStar = { at: at++, from };
    } else if (sign === "?" || sign === text[from]) {
      at++;
      from++;
    } else if (lastStar) {
      from = ++lastStar.from;
      at = lastStar.at + 1;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(at));
}

function noSuchNode(fleet: Fleet, words: string[]): RotaError {
  const names = placedNodes(fleet).map(({ node }) => node.name);
  const pools = fleet.pools.map(({ name }) => `@${name}`);
  return new RotaError("USAGE", {
    problem: words
      .map((word) => `no node of ${fleet.name} is ${shown(word)}${hint(word, names, pools)}`)
      .join("\n"),
    next: `${planOf(fleet.file)}, which shows every node`,
  });
}

/** How many names are offered. */
const mostOffered = 5;

function hint(word: string, names: string[], pools: string[]): string {
  const known = [...names, ...pools];
  // Of two that are as near the pool: its name without the @ is the likelier slip.
  const close = near(word, [...pools, ...names]).slice(0, mostOffered);
  if (close.length > 0) return `; near it: ${close.join(", ")}`;
  const more = known.length > mostOffered ? ", …" : "";
  return `; there are ${cut(known.slice(0, mostOffered).join(", "), 200)}${more}`;
}

/** web1, web2, web3 at 10.0.1.11 to .13 → `web[1:3]: 10.0.1.[11:13]`. */
import { expand } from "../inventory/ranges.ts";
import type { SketchNode } from "./sketch.ts";

/** Two are read more easily one by one. */
const fewest = 3;

/** Neighbours that are regular become one entry; the order stays. */
export function compress(nodes: SketchNode[]): SketchNode[] {
  const entries: SketchNode[] = [];
  for (let at = 0; at < nodes.length;) {
    const run = runFrom(nodes, at);
    entries.push(...(run ? [run.entry] : nodes.slice(at, at + 1)));
    at += run?.length ?? 1;
  }
  return entries;
}

function runFrom(nodes: SketchNode[], at: number): { entry: SketchNode; length: number } | undefined {
  const [first, second] = [nodes[at], nodes[at + 1]];
  if (!first || !second) return undefined;
  const [name, host] = [countingIn(first.name, second.name), countingIn(first.host, second.host)];
  if (!name || !host) return undefined;
  let length = 1;
  for (let next = nodes[at + 1]; next && alike(first, next); next = nodes[at + ++length]) {
    if (next.name !== name.word(length) || next.host !== host.word(length)) break;
  }
  // With zeros in front both ends need as many digits; then the longest run that can be written.
  for (; length >= fewest; length -= 1) {
    const entry = { ...first, name: name.range(length), host: host.range(length) };
    if (standsFor(entry, nodes.slice(at, at + length))) return { entry, length };
  }
  return undefined;
}

const alike = (a: SketchNode, b: SketchNode): boolean =>
  a.server === undefined &&
  a.remarks.length + b.remarks.length === 0 &&
  JSON.stringify([a.server, a.ssh, a.vars]) === JSON.stringify([b.server, b.ssh, b.vars]);

interface Counting {
  /** The text that is `steps` after the first. */
  word(steps: number): string;
  range(length: number): string;
}

/** The one number by which two texts differ, where the second is one more. */
function countingIn(first: string, second: string): Counting | undefined {
  for (const found of first.matchAll(/\d{1,9}/g)) {
    const [digits] = found;
    const [before, after] = [first.slice(0, found.index), first.slice(found.index + digits.length)];
    const number = (steps: number): string => {
      const text = String(Number(digits) + steps);
      return digits.startsWith("0") ? text.padStart(digits.length, "0") : text;
    };
    const word = (steps: number): string => before + number(steps) + after;
    if (word(1) !== second || /\d$/.test(before) || /^\d/.test(after)) continue;
    return { word, range: (length) => `${before}[${digits}:${number(length - 1)}]${after}` };
  }
  return undefined;
}

function standsFor({ name, host }: SketchNode, nodes: SketchNode[]): boolean {
  const expansion = expand(name, host);
  return (
    "nodes" in expansion &&
    expansion.nodes.length === nodes.length &&
    expansion.nodes.every((one, i) => one.name === nodes[i]?.name && one.host === nodes[i].host)
  );
}

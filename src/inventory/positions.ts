/** Where in the file a key or a value stands. Built in one walk, so that each look-up is short. */
import { isAlias, isMap, isNode, isScalar, isSeq } from "yaml";
import type { Alias, Document, LineCounter, Node, Pair, YAMLMap } from "yaml";
import type { Finding, Path, Place, Problem } from "./problems.ts";
import { problemAt } from "./problems.ts";

export interface Positions {
  /** The keys of a map in the order of the file, which a JavaScript object doesn't keep for numbers. */
  keysAt(path: Path): string[];
  /** A scalar as it is written: 1.10, which as a number would be 1.1. */
  writtenAt(path: Path): string | undefined;
  /** Of something that is not there: the key it should stand under. */
  placeOf(finding: Pick<Finding, "path" | "on">): Place;
  /** Keys that stand twice and aliases of nothing. */
  problems: Problem[];
  /** An alias can't be followed, so neither can the content. */
  brokenAlias: boolean;
  /** How many keys and values there are where each alias counts as what it stands for. */
  size: number;
}

type Pairs = Map<string, Pair>;

/** How far a path leads: the pair it ends in, and the value there. */
interface Reached {
  pair: Pair | undefined;
  value: Node | undefined;
  complete: boolean;
}

export function positionsIn(document: Document.Parsed, lines: LineCounter): Positions {
  const { maps, targets, problems, brokenAlias, size } = index(document.contents, lines);
  const follow = (node: unknown): Node | undefined =>
    isAlias(node) ? targets.get(node) : isMap(node) || isSeq(node) || isScalar(node) ? node : undefined;

  function reach(path: Path): Reached {
    const here: Reached = { pair: undefined, value: follow(document.contents), complete: true };
    for (const key of path) {
      const pair = isMap(here.value) ? maps.get(here.value)?.get(String(key)) : undefined;
      const next = isSeq(here.value) ? here.value.items[Number(key)] : pair?.value;
      if (!pair && next === undefined) return { ...here, complete: false };
      here.pair = pair ?? here.pair;
      here.value = follow(next);
    }
    return here;
  }

  return {
    problems,
    brokenAlias,
    size,
    keysAt(path) {
      const { value, complete } = reach(path);
      return complete && isMap(value) ? [...(maps.get(value)?.keys() ?? [])] : [];
    },
    writtenAt(path) {
      const { value, complete } = reach(path);
      return complete && isScalar(value) ? value.source : undefined;
    },
    placeOf({ path, on }) {
      const { pair, value, complete } = reach(path);
      const stands = complete && on === "value" && !isEmpty(value) ? value : (pair?.key ?? document.contents);
      return placeOfNode(stands, lines);
    },
  };
}

const isEmpty = (node: Node | undefined): boolean => isScalar(node) && node.value === null && !node.source;

function placeOfNode(node: unknown, lines: LineCounter): Place {
  const range = isNode(node) ? node.range : undefined;
  const { line, col } = range ? lines.linePos(range[0]) : { line: 1, col: 1 };
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

interface Index {
  maps: Map<YAMLMap, Pairs>;
  targets: Map<Alias, Node>;
  problems: Problem[];
  brokenAlias: boolean;
  size: number;
}

function index(root: unknown, lines: LineCounter): Index {
  const anchors = new Map<string, { node: Node; size: number }>();
  const found: Index = { maps: new Map(), targets: new Map(), problems: [], brokenAlias: false, size: 0 };
  const tell = (node: unknown, path: Path, text: string): void => {
    found.problems.push(problemAt(placeOfNode(node, lines), path, text));
  };

  function walk(node: unknown, path: Path): void {
    if (isAlias(node)) return walkAlias(node, path);
    const before = found.size++;
    if (isMap(node)) walkMap(node, path);
    else if (isSeq(node)) for (const [i, item] of node.items.entries()) walk(item, [...path, i]);
    else if (!isScalar(node)) return;
    // Known only from here on: an alias inside its own anchor would go round for ever.
    if (node.anchor) anchors.set(node.anchor, { node, size: found.size - before });
  }

  function walkAlias(alias: Alias, path: Path): void {
    const target = anchors.get(alias.source);
    if (target) {
      found.targets.set(alias, target.node);
      found.size += target.size;
      return;
    }
    tell(alias, path, `nothing above is named &${alias.source}`);
    found.brokenAlias = true;
  }

  function walkMap(map: YAMLMap, path: Path): void {
    const pairs: Pairs = new Map();
    const firsts: Pairs = new Map();
    found.maps.set(map, pairs);
    for (const pair of map.items) {
      const key = isScalar(pair.key) ? String(pair.key.value) : "";
      if (isScalar(pair.key)) walk(pair.key, path); // it may have an anchor
      const first = firsts.get(key);
      if (first)
        tell(pair.key, path, `"${key}" is here twice; first on line ${placeOfNode(first.key, lines).line}`);
      else firsts.set(key, pair);
      if (key === "__proto__") tell(pair.key, path, `"__proto__" can't be a key`);
      pairs.set(key, pair);
      walk(pair.value, [...path, key]);
    }
  }

  walk(root, []);
  return found;
}

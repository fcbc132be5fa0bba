/** YAML as PyYAML reads it for Ansible: YAML 1.1 (yes, no, 0755), without dates, with Ansible's own tags. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
  type Scalar,
} from "yaml";
import { tooDeep } from "../../inventory/depth.ts";
import { faultAt } from "./faults.ts";
import { type Place, Tagged, type Value, keyText } from "./values.ts";

/** A map that remembers the line of each key. */
export interface Lines {
  value: Value;
  lineOf(map: Value, key: string): number;
}

/** Aliases can make a short file stand for far more. */
const mostValues = 200_000;
const deepest = 200;

/** @throws RotaError INVENTORY */
export function readYaml(text: string, file: string): Lines {
  const deep = tooDeep(text);
  if (deep !== undefined) throw faultAt({ file, line: deep }, "is nested too deeply");
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    schema: "failsafe", // what a text without quotes means is decided below
    uniqueKeys: false,
    logLevel: "error",
  });
  const [fault] = document.errors;
  if (fault)
    throw faultAt(
      { file, line: Math.max(1, lines.linePos(fault.pos[0]).line) },
      `not YAML: ${fault.message}`,
    );
  return new Reader(document, lines, file).read();
}

class Reader {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  readonly #file: string;
  readonly #keys = new Map<Value, Map<string, number>>();
  readonly #open = new Set<Node>();
  readonly #anchors = new Map<string, Node>();
  readonly #named = new WeakSet<Node>();
  #size = 0;

  constructor(document: Document.Parsed, lines: LineCounter, file: string) {
    this.#document = document;
    this.#lines = lines;
    this.#file = file;
  }

  read(): Lines {
    const value = this.#valueOf(this.#document.contents);
    return { value, lineOf: (map, key) => this.#keys.get(map)?.get(key) ?? 1 };
  }

  #placeOf(node: unknown): Place {
    const range = isNodeWithRange(node) ? node.range : undefined;
    return { file: this.#file, line: range ? Math.max(1, this.#lines.linePos(range[0]).line) : 1 };
  }

  #valueOf(node: unknown): Value {
    if ((this.#size += 1) > mostValues)
      throw faultAt(this.#placeOf(node), `holds more than ${mostValues} values`);
    if (isScalar(node) || isMap(node) || isSeq(node)) this.#remember(node);
    if (isScalar(node)) return this.#scalar(node);
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (!target) throw faultAt(this.#placeOf(node), `nothing above is named &${node.source}`);
      return this.#valueOf(target);
    }
    if (!isMap(node) && !isSeq(node)) return null;
    if (this.#open.has(node)) throw faultAt(this.#placeOf(node), "holds itself");
    if (this.#open.size > deepest) throw faultAt(this.#placeOf(node), "is nested too deeply");
    this.#open.add(node);
    const value = isMap(node) ? this.#map(node.items) : node.items.map((item) => this.#valueOf(item));
    this.#open.delete(node);
    return value;
  }

  /** The library looks through the whole file for each alias. */
  #remember(node: Node & { anchor?: string }): void {
    if (node.anchor === undefined || this.#named.has(node)) return;
    this.#named.add(node);
    this.#anchors.set(node.anchor, node);
  }

  #map(pairs: { key: unknown; value: unknown }[]): Map<string, Value> {
    const map = new Map<string, Value>();
    const lines = new Map<string, number>();
    const merged: Map<string, Value>[] = [];
    for (const { key, value } of pairs) {
      if (isScalar(key) && key.value === "<<" && isPlain(key)) {
        const from = this.#valueOf(value);
        merged.push(...(Array.isArray(from) ? from : [from]).filter((one) => one instanceof Map));
        continue;
      }
      const name = keyText(this.#valueOf(key));
      map.set(name, this.#valueOf(value));
      lines.set(name, this.#placeOf(key).line);
    }
    for (const one of merged)
      for (const [name, value] of one)
        if (!map.has(name)) {
          map.set(name, value);
          lines.set(name, this.#keys.get(one)?.get(name) ?? 1);
        }
    this.#keys.set(map, lines);
    return map;
  }

  #scalar(node: Scalar): Value {
    const text = typeof node.value === "string" ? node.value : "";
    const tag = node.tag?.replace(/^tag:yaml\.org,2002:/, "!!");
    switch (tag) {
      case undefined:
        return isPlain(node) ? resolved(text) : text;
      case "!":
      case "!!str":
        return text;
      case "!!int":
      case "!!float":
      case "!!bool":
      case "!!null":
        return resolved(text);
      case "!vault":
      case "!vault-encrypted":
        return new Tagged("vault", text);
      case "!unsafe":
        return new Tagged("unsafe", text);
      default:
        throw faultAt(this.#placeOf(node), `the tag ${tag} is not read here`);
    }
  }
}

const isPlain = (node: Scalar): boolean => node.type === "PLAIN" || node.type === undefined;

const isNodeWithRange = (node: unknown): node is ParsedNode =>
  (isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)) && Array.isArray(node.range);

const numbers = /^[-+]?[0-9.]/;

/** What PyYAML makes of a text without quotes. */
function resolved(text: string): Value {
  if (/^(?:~|null|Null|NULL|)$/.test(text)) return null;
  if (/^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/.test(text)) return true;
  if (/^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/.test(text)) return false;
  if (!numbers.test(text)) return text;
  return wholeNumber(text) ?? decimal(text) ?? text;
}

function wholeNumber(text: string): number | undefined {
  const sign = text.startsWith("-") ? -1 : 1;
  const digits = text.replace(/^[-+]/, "").replaceAll("_", "");
  const isSo = (pattern: string): boolean => new RegExp(`^[-+]?(?:${pattern})$`).test(text);
  if (isSo("0b[0-1_]+")) return sign * Number(digits);
  if (isSo("0x[0-9a-fA-F_]+")) return sign * Number(digits);
  if (isSo("0[0-7_]+")) return sign * Number.parseInt(digits, 8);
  if (isSo("0|[1-9][0-9_]*")) return sign * Number(digits);
  return isSo("[1-9][0-9_]*(?::[0-5]?[0-9])+") ? sign * sixty(digits) : undefined;
}

function decimal(text: string): number | undefined {
  const sign = text.startsWith("-") ? -1 : 1;
  const digits = text.replace(/^[-+]/, "").replaceAll("_", "");
  const isSo = (pattern: string): boolean => new RegExp(`^[-+]?(?:${pattern})$`).test(text);
  if (isSo(String.raw`[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?`)) return sign * Number(digits);
  if (/^\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?$/.test(text)) return Number(digits);
  if (isSo(String.raw`\.(?:inf|Inf|INF)`)) return sign * Infinity;
  if (/^\.(?:nan|NaN|NAN)$/.test(text)) return Number.NaN;
  return isSo(String.raw`[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*`) ? sign * sixty(digits) : undefined;
}

/** 1:30 is ninety. */
const sixty = (text: string): number => text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);

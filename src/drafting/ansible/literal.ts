/** What `ast.literal_eval` of Python makes of a text: Ansible evaluates the values of an INI inventory with it. */
import { type Value, keyText } from "./values.ts";

/** Python's own limit for brackets in brackets is 200. */
const deepest = 150;

/** The value; or the text itself where it is no literal. */
export function evaluated(text: string): Value {
  if (text.includes("\0")) return text;
  const source = text.replace(/^[ \t]+/, "");
  try {
    const reading: Reading = { source, at: 0, depth: 0 };
    const value = expression(reading);
    skip(reading);
    return reading.at === source.length ? value : text;
  } catch (thrown) {
    if (thrown instanceof NoLiteral) return text;
    throw thrown;
  }
}

class NoLiteral extends Error {}

interface Reading {
  source: string;
  at: number;
  depth: number;
}

/** White space, and a comment, which ends the text. */
const skip = (reading: Reading): void => void take(reading, /[ \t\f]*(?:#.*)?/y);

function take(reading: Reading, pattern: RegExp): string | undefined {
  pattern.lastIndex = reading.at;
  const [found] = pattern.exec(reading.source) ?? [];
  if (found !== undefined) reading.at += found.length;
  return found;
}

function takes(reading: Reading, mark: string): boolean {
  skip(reading);
  if (!reading.source.startsWith(mark, reading.at)) return false;
  reading.at += mark.length;
  return true;
}

/** A value; or several with commas between them, which are a tuple. */
function expression(reading: Reading): Value {
  const first = single(reading);
  if (!takes(reading, ",")) return first;
  const items = [first];
  for (;;) {
    skip(reading);
    if (reading.at === reading.source.length) return items;
    items.push(single(reading));
    if (!takes(reading, ",")) return items;
  }
}

function single(reading: Reading): Value {
  skip(reading);
  const sign = take(reading, /[-+]/y);
  if (sign !== undefined) {
    skip(reading);
    const number = numberAt(reading);
    if (number === undefined) throw new NoLiteral();
    return sign === "-" ? -number : number;
  }
  const word = take(reading, /(?:None|True|False)(?![\w])/y);
  if (word !== undefined) return word === "None" ? null : word === "True";
  const next = reading.source[reading.at] ?? "";
  if ("[({".includes(next) && next !== "") return bracketed(reading, next);
  return numberAt(reading) ?? textsAt(reading);
}

function bracketed(reading: Reading, open: string): Value {
  reading.at += 1;
  if ((reading.depth += 1) > deepest) throw new NoLiteral();
  const value = open === "{" ? mapOrSet(reading) : list(reading, open === "[" ? "]" : ")");
  reading.depth -= 1;
  return value;
}

/** A single value in round brackets is that value. */
function list(reading: Reading, close: string): Value {
  const items: Value[] = [];
  let commas = 0;
  while (!takes(reading, close)) {
    if (items.length > commas) throw new NoLiteral();
    items.push(single(reading));
    if (takes(reading, ",")) commas += 1;
  }
  return close === ")" && items.length === 1 && commas === 0 ? (items[0] ?? null) : items;
}

function mapOrSet(reading: Reading): Value {
  const [keys, values]: [Value[], Value[]] = [[], []];
  let commas = 0;
  while (!takes(reading, "}")) {
    if (keys.length > commas) throw new NoLiteral();
    const key = single(reading);
    if (key instanceof Map) throw new NoLiteral(); // no key of Python's
    keys.push(key);
    if (takes(reading, ":")) values.push(single(reading));
    if (takes(reading, ",")) commas += 1;
  }
  if (keys.length > 0 && values.length === 0) return keys;
  if (keys.length !== values.length) throw new NoLiteral();
  return new Map(keys.map((key, i) => [keyText(key), values[i] ?? null]));
}

function numberAt(reading: Reading): number | undefined {
  const digits = String.raw`\d+(?:_\d+)*`;
  const float = String.raw`(?:(?:${digits})?\.${digits}|${digits}\.?)`;
  const found = take(
    reading,
    new RegExp(
      String.raw`0[xX](?:_?[\da-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|${float}(?:[eE][-+]?${digits})?`,
      "y",
    ),
  );
  if (found === undefined) return undefined;
  if (/^[\w.]/.test(reading.source.slice(reading.at))) throw new NoLiteral();
  // Zeros in front are for octal numbers, which Python 3 does not write so.
  if (/^0[\d_]*[1-9]/.test(found) && !/[.eE]/.test(found)) throw new NoLiteral();
  return Number(found.replaceAll("_", "").toLowerCase());
}

/** One text, or several beside each other, which are one. */
function textsAt(reading: Reading): string {
  let text = textAt(reading);
  if (text === undefined) throw new NoLiteral();
  for (;;) {
    skip(reading);
    const more = textAt(reading);
    if (more === undefined) return text;
    text += more;
  }
}

function textAt(reading: Reading): string | undefined {
  const before = reading.at;
  const opening = take(reading, /(?:[rRuUbB]|[rR][bB]|[bB][rR])?(?:'''|"""|'|")/y);
  if (opening === undefined) return undefined;
  const [isRaw, quote] = [/r/i.test(opening), opening.replace(/^[a-z]+/i, "")];
  let text = "";
  while (!reading.source.startsWith(quote, reading.at)) {
    const piece = take(reading, /\\[^]|[^\\]/y);
    if (piece === undefined) {
      reading.at = before;
      throw new NoLiteral();
    }
    text += piece.length === 2 && piece.startsWith("\\") && !isRaw ? unescaped(reading, piece) : piece;
  }
  reading.at += quote.length;
  return text;
}

const escapes: Record<string, string> = {
  "\\\\": "\\",
  "\\'": "'",
  '\\"': '"',
  "\\a": "\u0007",
  "\\b": "\b",
  "\\f": "\f",
  "\\n": "\n",
  "\\r": "\r",
  "\\t": "\t",
  "\\v": "\v",
};

/** After a backslash. What is no escape stays as it is. */
function unescaped(reading: Reading, piece: string): string {
  const known = escapes[piece];
  if (known !== undefined) return known;
  const kind = piece[1] ?? "";
  if (/[0-7]/.test(kind)) return character(kind + (take(reading, /[0-7]{0,2}/y) ?? ""), 8);
  const length = { x: 2, u: 4, U: 8 }[kind];
  if (kind === "N") throw new NoLiteral(); // by its name: no table of names here
  if (length === undefined) return piece;
  const digits = take(reading, new RegExp(`[\\da-fA-F]{${length}}`, "y"));
  if (digits === undefined) throw new NoLiteral();
  return character(digits, 16);
}

function character(digits: string, base: number): string {
  const code = Number.parseInt(digits, base);
  if (code > 0x10ffff) throw new NoLiteral();
  return String.fromCodePoint(code);
}

/** `web[3:6]: 10.0.1.[13:16]` stands for four nodes. */

export interface Expanded {
  name: string;
  host: string;
}

/** A problem, and which of the two it is about. */
export type Expansion = { nodes: Expanded[] } | { problem: string; of: "name" | "host" };

/** More in one line is a slip of the hand. */
const longestRange = 10_000;

/** One entry of `nodes`: itself, or the nodes of its range, in order. Zeros in front are kept: `[01:10]`. */
export function expand(name: string, host: string): Expansion {
  const names = spread(name);
  const hosts = spread(host);
  if ("problem" in names) return { ...names, of: "name" };
  if ("problem" in hosts) return { ...hosts, of: "host" };
  if (!names.ranged && !hosts.ranged) return { nodes: [{ name, host }] };
  if (!names.ranged) return { problem: `${host} is a range, but ${name} is one node`, of: "name" };
  if (!hosts.ranged) return { problem: `${name} is a range, but ${host} is one host`, of: "name" };
  if (names.words.length !== hosts.words.length) {
    const counts = `${name} is ${names.words.length} nodes, but ${host} is ${hosts.words.length} hosts`;
    return { problem: counts, of: "name" };
  }
  return { nodes: names.words.map((word, i) => ({ name: word, host: hosts.words[i] ?? "" })) };
}

/** A key with its range replaced by a digit: what is left must be a name. */
export const withoutRange = (text: string): string => text.replace(/\[\d{1,9}:\d{1,9}\]/, "0");

type Spread = { words: string[]; ranged: boolean } | { problem: string };

function spread(text: string): Spread {
  const found = [...text.matchAll(/\[(\d{1,9}):(\d{1,9})\]/g)];
  const [range] = found;
  if (/[[\]]/.test(text.replace(/\[\d{1,9}:\d{1,9}\]/g, ""))) return { problem: bracketsIn(text) };
  if (!range) return { words: [text], ranged: false };
  if (found.length > 1) return { problem: `${text} holds two ranges; one is allowed` };
  const [whole, from = "", to = ""] = range;
  const numbers = count(from, to);
  if ("problem" in numbers) return numbers;
  const [before, after] = [text.slice(0, range.index), text.slice(range.index + whole.length)];
  return { words: numbers.words.map((number) => before + number + after), ranged: true };
}

/** An IPv6 address in brackets is the likeliest reason. */
const bracketsIn = (text: string): string =>
  /^\[[0-9a-fA-F:.]+\]$/.test(text)
    ? `${text} is written without brackets here: ${text.slice(1, -1)}`
    : `${text} holds brackets that are not a range; a range is [3:6]`;

function count(from: string, to: string): { words: string[] } | { problem: string } {
  const [first, last] = [Number(from), Number(to)];
  if (last < first) return { problem: `[${from}:${to}] runs backwards` };
  if (last - first >= longestRange) return { problem: `[${from}:${to}] is more than ${longestRange} nodes` };
  const padded = [from, to].some((end) => end.startsWith("0") && end.length > 1);
  if (padded && from.length !== to.length) {
    return { problem: `[${from}:${to}]: with zeros in front both ends need the same number of digits` };
  }
  const words = Array.from({ length: last - first + 1 }, (_, i) => String(first + i));
  return { words: padded ? words.map((word) => word.padStart(from.length, "0")) : words };
}

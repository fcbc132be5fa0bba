/** Findings as lines, those that are the same of many nodes on one. Pure. */
import { printable } from "../base/quote.ts";
import { type Finding, type Verdict, parts } from "../doctor/findings.ts";
import { type Paint, type Tone, unpainted } from "./board.ts";
import { count, wrap } from "./width.ts";

/** One judgement, and all that it is true of. */
interface Group extends Omit<Finding, "on"> {
  on: string[];
}

const tones: Record<Verdict, Tone> = { ok: "good", warn: "busy", bad: "bad", unseen: "quiet" };

/** The worst first. */
const order: Verdict[] = ["bad", "warn", "unseen", "ok"];

/** @param names All nodes, in the order of the file: neighbours of the same judgement are told as a range. */
export function doctorLines(
  { fleet, findings, names }: { fleet: string; findings: Finding[]; names: string[] },
  width = 100,
  paint: Paint = unpainted,
): string[] {
  const groups = groupsOf(findings);
  const body = parts.flatMap((part) => {
    const mine = groups
      .filter((group) => group.part === part)
      .toSorted((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict));
    return mine.length === 0
      ? []
      : ["", part, ...bounded(mine).flatMap((group) => groupLines(group, names, width, paint))];
  });
  return [fleet, ...body, "", summary(findings)];
}

function groupsOf(findings: Finding[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { on, ...finding } of findings) {
    const key = JSON.stringify(finding);
    const group = groups.get(key);
    if (group) group.on.push(on);
    else groups.set(key, { ...finding, on: [on] });
  }
  return [...groups.values()];
}

/** Of one code and verdict. */
const mostAlike = 8;

/** What is told of each node in other words (a fleet that can't be reached) is told of the first few, and counted. */
function bounded(groups: Group[]): Group[] {
  const alike = new Map<string, Group[]>();
  for (const group of groups) {
    const key = `${group.code} ${group.verdict}`;
    alike.set(key, [...(alike.get(key) ?? []), group]);
  }
  return [...alike.values()].flatMap((all) => {
    const [first, ...more] = all.slice(mostAlike);
    if (!first || more.length === 0) return all;
    const on = [first, ...more].flatMap((group) => group.on);
    const { part, code, verdict } = first;
    return [
      ...all.slice(0, mostAlike),
      { part, code, verdict, on, text: "more like these; --json has each" },
    ];
  });
}

/** "  bad     web3: …", and below it what to do. */
const indent = 10;

function groupLines(
  { verdict, on, text, next, code }: Group,
  names: string[],
  width: number,
  paint: Paint,
): string[] {
  const [only, ...others] = on;
  // Words of an error that name it already.
  const isNamed = others.length === 0 && [": ", " "].some((after) => text.startsWith(`${only}${after}`));
  const what = isNamed ? printable(text) : `${sayNames(on, names)}: ${printable(text)}`;
  const said = wrap(`${what} [${code}]`, Math.max(20, width - indent));
  const todo = next === undefined ? [] : wrap(`next: ${printable(next)}`, Math.max(20, width - indent), 6);
  const mark = paint(tones[verdict], verdict.padEnd(indent - 2));
  return [
    ...said.map((line, i) => (i === 0 ? `  ${mark}${line}` : `${" ".repeat(indent)}${line}`)),
    ...todo.map((line) => `${" ".repeat(indent)}${line}`),
  ];
}

const mostRanges = 6;

/** "web1 … web6, web8 … web500 (499)" */
function sayNames(on: string[], names: string[]): string {
  const unique = [...new Set(on)];
  if (unique.length < 4) return unique.join(", ");
  const places = unique.map((name) => names.indexOf(name));
  const ranges: [first: string, last: string][] = [];
  unique.forEach((name, i) => {
    const range = ranges.at(-1);
    const follows = i > 0 && places[i] !== -1 && places[i] === (places[i - 1] ?? NaN) + 1;
    if (range && follows) range[1] = name;
    else ranges.push([name, name]);
  });
  const said = ranges.map(([first, last]) => (first === last ? first : `${first} … ${last}`));
  const shown = said.length <= mostRanges ? said : [...said.slice(0, mostRanges), "…"];
  return `${shown.join(", ")} (${unique.length})`;
}

const words: Record<Verdict, (n: number) => string> = {
  bad: (n) => `${n} bad`,
  warn: (n) => count(n, "warning"),
  unseen: (n) => `${n} not visible from here`,
  ok: (n) => `${n} ok`,
};

/** "1 bad, 2 warnings, 40 ok" */
export function summary(findings: Finding[]): string {
  const of = (verdict: Verdict): number => findings.filter((finding) => finding.verdict === verdict).length;
  const said = order.flatMap((verdict) => (of(verdict) > 0 ? [words[verdict](of(verdict))] : []));
  return said.join(", ");
}

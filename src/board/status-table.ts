/** Nodes × balancers as a table; where that is too wide, one line a node for all balancers together. Pure. */
import { sayDuration } from "../base/duration.ts";
import type { Entry } from "../rotation/ports.ts";
import type { Tone } from "./board.ts";
import type { NodeStatus } from "./fleet-status.ts";
import { isOverdue } from "./overdue.ts";
import { columns } from "./width.ts";

export interface Row {
  tone: Tone;
  text: string;
}

/** What is told of a node is worth so many columns, before the table gives way. */
const leastNote = 24;

/** @returns its head, and one row for each node, in their order */
export function statusTable(nodes: NodeStatus[], now: Date, width: number): { head: string[]; rows: Row[] } {
  const places = placesOf(nodes);
  const notes = nodes.map((node) => noteOn(node, now));
  const longest = Math.max(0, ...notes.map(({ length }) => length));
  const wide = wideTable(nodes, places);
  const taken = Math.max(...wide.map(({ length }) => length)) + 2;
  const table = taken + Math.min(longest, leastNote) <= width ? wide : narrowTable(nodes);
  const heads = table.length - nodes.length;
  const widest = Math.max(...table.map(({ length }) => length));
  return {
    head: table.slice(0, heads),
    rows: nodes.map((node, i) => ({
      tone: markOf(node).tone,
      text: `${(table[heads + i] ?? "").padEnd(widest)}  ${notes[i] ?? ""}`.trimEnd(),
    })),
  };
}

const placeOf = ({ balancer, backend }: Entry): string => `${balancer}/${backend}`;

const placesOf = (nodes: NodeStatus[]): string[] =>
  [...new Set(nodes.flatMap(({ entries }) => entries.map(placeOf)))].toSorted();

/** The shape says it, not only the colour. */
export function markOf({ entries, absence, wrong }: NodeStatus): { mark: string; tone: Tone } {
  if (wrong !== undefined) return { mark: "!", tone: "bad" };
  const out = entries.filter(({ outBecause }) => outBecause);
  if (absence?.kind === "run") return { mark: "◌", tone: "busy" };
  if (out.some(({ outBecause }) => outBecause === "health")) return { mark: "✗", tone: "bad" };
  if (absence || out.length > 0) return { mark: "◌", tone: "busy" };
  return entries.length === 0 ? { mark: "?", tone: "quiet" } : { mark: "✓", tone: "good" };
}

const counted = ["sess", "req/s", "err"];

function wideTable(nodes: NodeStatus[], places: string[]): string[] {
  const releases = hasReleases(nodes);
  const weighted = new Set(places.filter((place) => weightsAt(nodes, place).size > 1));
  const cellsOf = (node: NodeStatus): string[][] =>
    places.map((place) => {
      const entry = node.entries.find((one) => placeOf(one) === place);
      return entry ? [stateOf(entry, weighted.has(place)), ...countsOf([entry])] : ["-", "", "", ""];
    });
  const rows = nodes.map((node) => [...nameOf(node, releases), ...cellsOf(node).flat()]);
  const names = ["  node", ...(releases ? ["release"] : [])];
  const [head = "", ...body] = columns(
    [[...names, ...places.flatMap(() => ["state", ...counted])], ...rows],
    right,
  );
  // The name of each place stands above its first column.
  const starts = startsOf(head, "state");
  const over = places.reduce((line, place, i) => `${line.padEnd(starts[i] ?? 0)}${place} `, "");
  return [over.trimEnd(), head, ...body];
}

function narrowTable(nodes: NodeStatus[]): string[] {
  const releases = hasReleases(nodes);
  const names = ["  node", ...(releases ? ["release"] : [])];
  return columns(
    [
      [...names, "in", "state", ...counted],
      ...nodes.map((node) => {
        const { entries } = node;
        const serving = entries.filter(({ outBecause }) => !outBecause);
        const worst = entries.find(({ outBecause }) => outBecause) ?? entries[0];
        const state = worst ? stateOf(worst, false) : "-";
        return [
          ...nameOf(node, releases),
          `${serving.length}/${entries.length}`,
          state,
          ...countsOf(entries),
        ];
      }),
    ],
    right,
  );
}

/** Numbers are compared by their ends. */
const right = (head: string): boolean => counted.includes(head);

const hasReleases = (nodes: NodeStatus[]): boolean => nodes.some(({ release }) => release !== undefined);

const nameOf = (node: NodeStatus, releases: boolean): string[] => [
  `${markOf(node).mark} ${node.name}`,
  ...(releases ? [node.release ?? ""] : []),
];

const weightsAt = (nodes: NodeStatus[], place: string): Set<number> =>
  new Set(
    nodes.flatMap(({ entries }) =>
      entries.filter((one) => placeOf(one) === place).map(({ weight }) => weight),
    ),
  );

export const stateOf = ({ status, weight, initialWeight }: Entry, weighted: boolean): string =>
  weighted || weight === 0 || weight !== initialWeight ? `${status} w${weight}` : status;

const countsOf = (entries: Entry[]): string[] => {
  const sum = (of: (entry: Entry) => number): string => short(entries.reduce((all, one) => all + of(one), 0));
  return [sum((e) => e.sessions), sum((e) => e.traffic.perSecond), sum((e) => e.traffic.errors)];
};

/** "950", "12k", "3.4M" */
function short(number: number): string {
  if (number < 10_000) return `${number}`;
  const [unit, word] = number < 1_000_000 ? [1_000, "k"] : [1_000_000, "M"];
  const amount = number / unit;
  return `${amount < 10 ? amount.toFixed(1) : Math.floor(amount)}${word}`;
}

function startsOf(line: string, word: string): number[] {
  return [...line.matchAll(new RegExp(`\\b${word}\\b`, "g"))].map(({ index }) => index);
}

export function noteOn(node: NodeStatus, now: Date): string {
  if (node.step !== undefined) return `in hand: ${node.step}`;
  return node.absence ? sayAbsence(node.absence, node.failure, now) : sayUnknown(node.entries);
}

/** Out, and not because of rota: what the balancers know of it. */
function sayUnknown(entries: Entry[]): string {
  const out = entries.filter((entry) => entry.outBecause);
  if (out.some((entry) => entry.outBecause === "person")) return "taken out by somebody else";
  return [...new Set(out.map((entry) => entry.lastCheck).filter(Boolean))].join(", ");
}

function sayAbsence(absence: Absence, failure: string | undefined, now: Date): string {
  const { kind, by, reason, since, until, run } = absence;
  const age = sayDuration(now.getTime() - since.getTime());
  const due =
    until === undefined
      ? ""
      : isOverdue(absence, now)
        ? `, OVERDUE since ${clockTime(until)}`
        : `, until ${clockTime(until)}`;
  return kind === "hold"
    ? `held by ${by} for ${age}${due}: ${reason ?? "no reason given"}`
    : `left out by run ${run} (${by}) ${age} ago${failure === undefined ? "" : `: ${failure}`}`;
}

type Absence = NonNullable<NodeStatus["absence"]>;

const clockTime = (date: Date): string => date.toISOString().slice(0, 16).replace("T", " ") + "Z";

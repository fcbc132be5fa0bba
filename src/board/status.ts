/** The fleet as every balancer sees it, as lines: what needs somebody comes first. Pure. */
import { type Paint, unpainted } from "./board.ts";
import type { FleetStatus, NodeStatus } from "./fleet-status.ts";
import { overdueLines } from "./overdue.ts";
import { markOf, statusTable } from "./status-table.ts";
import { count, fit } from "./width.ts";

export interface StatusSize {
  /** Columns, for the choice of the table. */
  width: number;
  /** Lines that fit, where no line may be wider either. Nodes beyond are counted, those that serve first. */
  height?: number | undefined;
}

/** @param where What a command needs to find the same inventory: " -i FILE", or nothing. */
export function statusLines(
  status: FleetStatus,
  now: Date,
  { width, height }: StatusSize = { width: Infinity },
  paint: Paint = unpainted,
  where = "",
): string[] {
  const { nodes, lease, unfinished, problems, drift } = status;
  const line = (text: string): string => (height === undefined ? text : fit(text, width));
  const absences = nodes.flatMap(({ absence }) => absence ?? []);
  const bad = [
    ...nodes.flatMap((node) => sayWrong(node, where)),
    ...overdueLines(absences, now, where).map((text) => `! ${text}`),
    ...problems.map((problem) => `! ${problem}`),
  ];
  const above = [
    ...firstOf(bad, height).map((text) => paint("bad", line(text))),
    ...drift.slice(0, Math.max(1, (height ?? Infinity) / 5)).map((text) => paint("busy", line(`~ ${text}`))),
    line(sayCapacity(status)),
    ...unfinished.map((text) => paint("busy", line(text))),
    ...(lease === undefined ? [] : [paint("busy", line(`being changed by ${lease}`))]),
    "",
  ];
  const table = statusTable(nodes, now, width);
  const room = height === undefined ? Infinity : Math.max(3, height - above.length - table.head.length - 1);
  const shown = worthShowing(nodes, room);
  const hidden = nodes.filter((node) => !shown.has(node));
  const rows = table.rows.flatMap(({ tone, text }, i) =>
    shown.has(nodes[i]) ? [paint(tone === "good" ? "plain" : tone, line(text))] : [],
  );
  return [
    ...above,
    ...table.head.map((text) => paint("quiet", line(text))),
    ...rows,
    ...(hidden.length > 0 ? [paint("quiet", `  and ${sayHidden(hidden)}`)] : []),
  ];
}

/** A picture that is higher than the terminal loses its top, which is what matters. */
function firstOf(lines: string[], height = Infinity): string[] {
  const most = Math.max(2, Math.floor(height / 2));
  if (lines.length <= most) return lines;
  return [...lines.slice(0, most - 1), `! and ${lines.length - most + 1} more; rota status has each`];
}

const sayWrong = ({ name, wrong }: NodeStatus, where: string): string[] =>
  wrong === undefined
    ? []
    : [`! ${name} ${wrong}: rota drain ${name}${where}, or rota ready ${name}${where} if it is well`];

function sayCapacity({ fleet, nodes, backends }: FleetStatus): string {
  const places = new Set(nodes.flatMap(({ entries }) => entries.map((e) => `${e.balancer}/${e.backend}`)));
  const relevant = backends.filter((b) => places.has(`${b.balancer}/${b.backend}`));
  const said = relevant.map((b) => `${b.balancer}/${b.backend} ${b.serving} of ${b.servers} serving`);
  return `${fleet}: ${said.join(", ") || "no server seen"}`;
}

/** Those that serve give way first. */
function worthShowing(nodes: NodeStatus[], most: number): Set<NodeStatus | undefined> {
  if (nodes.length <= most) return new Set(nodes);
  const isPlain = (node: NodeStatus): number => (markOf(node).mark === "✓" ? 1 : 0);
  return new Set(nodes.toSorted((a, b) => isPlain(a) - isPlain(b)).slice(0, most));
}

function sayHidden(hidden: NodeStatus[]): string {
  const serving = hidden.filter((node) => markOf(node).mark === "✓").length;
  const others = hidden.length - serving;
  return `${count(hidden.length, "more node")}, ${others === 0 ? "all serving" : `${serving} serving`}`;
}

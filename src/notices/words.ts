/** A notice in words: a title, and lines that know what is rota's and what came from elsewhere. Pure. */
import { sayDuration } from "../base/duration.ts";
import { count } from "../board/width.ts";
import type { RunEnd } from "../events/events.ts";
import type { Failure, Notice } from "./notice.ts";

export interface Line {
  /** Rota's own word for it. */
  label: string;
  text: string;
  /** Words of rota; a value that somebody gave; what a program said; a command to be typed. */
  is: "words" | "value" | "output" | "command";
}

export interface Told {
  /** Nothing but rota's words and names of the inventory. */
  title: string;
  lines: Line[];
}

export const toldIn = (notice: Notice): Told => ({ title: titleOf(notice), lines: linesOf(notice) });

/** For a terminal or a log. */
export function plainText(notice: Notice): string {
  const { title, lines } = toldIn(notice);
  const told = lines.map(({ label, text }) => `${label}: ${text.replaceAll("\n", "\n  ")}`);
  return [title, ...told].join("\n");
}

function titleOf(notice: Notice): string {
  const what = `${notice.command} ${notice.fleet}`;
  switch (notice.kind) {
    case "start":
      return `${what} starts: ${count(notice.nodes.all, "node")}`;
    case "failure":
      return `${what}: ${whoFailed(notice)}`;
    case "end":
      return `${what} ${notice.ended ? sayEnd[notice.ended.end] : "has ended"} in ${sayDuration(notice.ended?.ms ?? 0)}: ${sayCounts(notice)}`;
  }
}

const sayEnd: Record<RunEnd, string> = {
  done: "is done",
  failed: "FAILED",
  interrupted: "was interrupted",
  refused: "was refused",
  aborted: "was aborted",
  "rolled back": "was rolled back",
};

function whoFailed({ failures = [], more = 0 }: Notice): string {
  const nodes = failures.filter(({ node }) => node !== undefined);
  const [first] = nodes;
  if (!first) return "it can't go on";
  return nodes.length + more === 1 ? `${first.node} failed` : `${nodes.length + more} nodes failed`;
}

function sayCounts({ nodes: { all, done, failed, left } }: Notice): string {
  if (done === all) return count(all, "node");
  const parts: [number, string][] = [
    [done, "done"],
    [failed, "failed"],
    [left, "left"],
  ];
  const said = parts.filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`);
  return `${said.join(", ")} of ${count(all, "node")}`;
}

function linesOf({ run, by, reason, set, undoes, kind, failures = [], more = 0, ended }: Notice) {
  const line = (label: string, text: string | undefined, is: Line["is"]): Line[] =>
    text === undefined || text === "" ? [] : [{ label, text, is }];
  const values = Object.entries(set).map(([key, value]) => `${key}=${value}`);
  const rest = more > 0 ? [`and ${more} more`] : [];
  return [
    ...line("run", `${run}, by ${by}`, "words"),
    ...(kind === "start" || kind === "end"
      ? [
          ...line("undoes", undoes, "words"),
          ...line("reason", reason, "value"),
          ...line("set", values.join(" "), "value"),
        ]
      : []),
    ...line("failed", [...failures.map(sayFailure), ...rest].join("\n"), "output"),
    ...line("problem", ended?.problem, "output"),
    ...line("left", ended?.left, "words"),
    ...line("next", ended?.next, "command"),
  ];
}

const sayFailure = ({ node, end, why }: Failure): string =>
  node === undefined ? why : `${node}${end === undefined ? "" : ` (${end})`}: ${why}`;

/** A run as a board of lines. Pure, so that it is tested without a terminal. */
import { sayDuration } from "../base/duration.ts";
import { shownValues } from "../base/quote.ts";
import type { NodeEnd } from "../events/events.ts";
import type { NodeState, RunState } from "../events/state.ts";
import { fit } from "./width.ts";
import { workersLine } from "./workers.ts";

export type Tone = "good" | "bad" | "busy" | "quiet" | "plain";
/** Puts a colour on a text, or leaves it as it is. */
export type Paint = (tone: Tone, text: string) => string;
export const unpainted: Paint = (_, text) => text;

export interface BoardSize {
  width: number;
  /** Lines that fit; nodes beyond are counted, not shown. */
  height: number;
}

const marks: Record<NodeEnd, { mark: string; tone: Tone }> = {
  back: { mark: "✓", tone: "good" },
  "as found": { mark: "↩", tone: "plain" },
  "kept out": { mark: "◌", tone: "plain" },
  out: { mark: "✗", tone: "bad" },
};

export function board(
  state: RunState,
  now: number,
  { width, height }: BoardSize,
  paint: Paint = unpainted,
): string[] {
  const nodes = [...state.nodes.values()];
  const nameWidth = Math.min(24, Math.max(4, ...nodes.map(({ name }) => name.length)));
  // As many of these lines as leave room for most of the nodes.
  const rolling = nodes.filter(({ workers }) => workers).slice(0, Math.max(1, Math.floor((height - 6) / 4)));
  const shown = worthShowing(nodes, Math.max(3, height - 6 - rolling.length));
  const hidden = nodes.length - shown.length;
  return [
    paint("plain", fit(heading(state, nodes, now), width)),
    "",
    ...shown.flatMap((node) => [
      nodeLine(node, now, nameWidth, width, paint),
      ...(node.workers && rolling.includes(node) ? [workersLine(node.workers, now, width, paint)] : []),
    ]),
    ...(hidden > 0 ? [paint("quiet", fit(`  and ${hidden} more, ${sayRest(nodes, shown)}`, width))] : []),
    ...[...state.hooks].map(([name, text]) => paint("busy", fit(`  ▸ ${name}  ${text}`, width))),
    ...state.notices.slice(-2).map((text) => paint("busy", fit(`  ! ${text}`, width))),
    ...(state.stopping
      ? [paint("busy", fit(`  stopping ${state.stopping}; once more to stop sooner`, width))]
      : []),
  ];
}

function heading(state: RunState, nodes: NodeState[], now: number): string {
  const ended = nodes.filter(({ end }) => end !== undefined).length;
  const what = [`rota ${state.command} ${state.fleet}`, ...shownValues(state.set)].join(" ");
  return `${what}  ·  ${bar(ended, nodes.length)} ${ended} of ${nodes.length}  ·  ${sayDuration(age(state.started, now))}  ·  run ${state.run}`;
}

const barWidth = 16;
const bar = (done: number, all: number): string => {
  const filled = all === 0 ? 0 : Math.round((done / all) * barWidth);
  return `${"█".repeat(filled)}${"░".repeat(barWidth - filled)}`;
};

const age = (since: string | undefined, now: number): number =>
  since ? Math.max(0, now - Date.parse(since)) : 0;

/** Those on their way and those that failed come before those that are done or to come. */
function worthShowing(nodes: NodeState[], most: number): NodeState[] {
  if (nodes.length <= most) return nodes;
  const rank = (node: NodeState): number => {
    if (node.end === "out" || node.step) return 0;
    return node.end ? 2 : 1;
  };
  const chosen = new Set(nodes.toSorted((a, b) => rank(a) - rank(b)).slice(0, most));
  return nodes.filter((node) => chosen.has(node));
}

function sayRest(nodes: NodeState[], shown: NodeState[]): string {
  const rest = nodes.filter((node) => !shown.includes(node));
  const done = rest.filter(({ end }) => end !== undefined).length;
  return `${done} done, ${rest.length - done} to come`;
}

function nodeLine(node: NodeState, now: number, nameWidth: number, width: number, paint: Paint): string {
  const { mark, tone, state, time, rest: plain } = lookOf(node, now);
  const rest = node.canary ? ["canary", plain].filter(Boolean).join(" · ") : plain;
  const left = `  ${mark} ${fit(node.name, nameWidth).padEnd(nameWidth)}  ${state.padEnd(8)} ${time.padStart(6)}`;
  return `${paint(tone, fit(left, width))}${paint("quiet", fit(rest ? `  ${rest}` : "", width - left.length))}`;
}

function lookOf(
  node: NodeState,
  now: number,
): { mark: string; tone: Tone; state: string; time: string; rest: string } {
  if (node.end !== undefined) {
    const { mark, tone } = marks[node.end];
    return { mark, tone, state: node.end, time: sayDuration(node.ms), rest: node.why ?? sayTimes(node) };
  }
  if (node.step !== undefined) {
    const time = sayDuration(age(node.started, now));
    return { mark: "▸", tone: "busy", state: node.step, time, rest: node.saw ?? sayTimes(node) };
  }
  return { mark: "·", tone: "quiet", state: "", time: "", rest: sayTimes(node) };
}

/** "settle 1.2s · restart 310ms · check 980ms": where the time went; what took next to nothing is not worth a word. */
export const sayTimes = (node: NodeState): string =>
  node.done
    .filter(({ ms }) => ms >= 50)
    .map(({ step, ms }) => `${step} ${sayDuration(ms)}`)
    .join(" · ");

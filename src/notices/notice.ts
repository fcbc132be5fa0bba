/** What of a run is told, whatever its form: bounded, without secrets, printable. Pure. */
import { printable } from "../base/quote.ts";
import { type Redact, redactAll } from "../base/redact.ts";
import { fit } from "../board/width.ts";
import type { Event, NodeEnd, RunEnd } from "../events/events.ts";
import { type RunState, leaseLost } from "../events/state.ts";
import type { NoticeKind } from "../inventory/notices.ts";

export interface Notice {
  kind: NoticeKind;
  /** When it happened. */
  at: string;
  run: string;
  command: string;
  fleet: string;
  by: string;
  reason?: string | undefined;
  set: Record<string, string>;
  /** The run that this one undoes. */
  undoes?: string | undefined;
  nodes: { all: number; done: number; failed: number; left: number };
  /** Of a failure: the first of them. */
  failures?: Failure[];
  /** Failures that are not among them. */
  more?: number;
  /** Of an end. */
  ended?: Ended;
}

/** A node that failed; or a hook, the lease, the run itself. */
export interface Failure {
  node?: string;
  /** How its trip ended: out, as found, back. */
  end?: NodeEnd;
  why: string;
}

export interface Ended {
  end: RunEnd;
  ms: number;
  code?: string;
  problem?: string;
  left?: string;
  next?: string;
}

type Started = Extract<Event, { type: "run started" }>;

/** Characters: all of a notice must fit into one variable of a command's environment, 128 KiB on Linux. */
const longest: Record<string, number> = { problem: 2_000, left: 2_000, next: 2_000, why: 500, reason: 500 };
const longestElse = 300;
const mostValues = 20;
const mostFailures = 20;

/** What this event has to tell. @param isTold whether a failure of this run was told before */
export function noticesOf(
  event: Event,
  state: RunState,
  started: Started,
  isTold: boolean,
  redact: Redact,
): Notice[] {
  const notice = (kind: NoticeKind, what: Pick<Notice, "failures" | "ended"> = {}): Notice =>
    readable({ kind, at: event.at, ...aboutOf(started), nodes: countsOf(state), ...what }, redact);
  if (event.type === "run started") return [notice("start")];
  if (event.type !== "run ended") {
    const failure = failureIn(event, state, started);
    return failure ? [notice("failure", { failures: [failure] })] : [];
  }
  const { type: _, at: __, run: ___, ...ended } = event;
  const last = notice("end", { ended });
  if (isTold || !(event.end === "failed" || event.end === "refused")) return [last];
  // Neither a node nor a hook: the journal, or what came before the first node.
  return [notice("failure", { failures: [{ why: event.problem ?? event.end }] }), last];
}

/** Adds failures to those of a notice that nobody has seen yet. */
export function gather(waiting: Notice, also: Notice): void {
  const all = [...(waiting.failures ?? []), ...(also.failures ?? [])];
  waiting.more = (waiting.more ?? 0) + (also.more ?? 0) + Math.max(0, all.length - mostFailures);
  waiting.failures = all.slice(0, mostFailures);
  waiting.nodes = also.nodes;
}

/** What a person stopped at once has not failed, and is told at the end. */
function failureIn(event: Event, state: RunState, { command }: Started): Failure | undefined {
  if (event.type === "lease lost") return { why: leaseLost };
  if (state.stopping === "now") return undefined;
  if (event.type === "node ended" && event.why !== undefined)
    return { node: event.node, end: event.end, why: event.why };
  // A node's hook fails its node, or nothing; in a rollback none of the others stops it.
  if (event.type === "hook ended" && !event.ok && event.node === undefined && command !== "rollback")
    return { why: `hooks.${event.hook}: ${event.why ?? "failed"}` };
  return undefined;
}

const aboutOf = ({ run, command, fleet, by, reason, set, undoes }: Started) => ({
  run,
  command,
  fleet,
  by,
  reason,
  set: Object.fromEntries(Object.entries(set).slice(0, mostValues)),
  undoes,
});

function countsOf({ nodes }: RunState): Notice["nodes"] {
  const ended = [...nodes.values()].filter(({ end }) => end !== undefined);
  const failed = ended.filter(({ why }) => why !== undefined).length;
  return { all: nodes.size, done: ended.length - failed, failed, left: nodes.size - ended.length };
}

/** A text is cut when its secrets are gone: half a one would no longer be found. */
const readable = (notice: Notice, redact: Redact): Notice =>
  redactAll(notice, (text, key) =>
    fit(redact(text).split("\n").map(printable).join("\n"), longest[key] ?? longestElse),
  );

/**
 * Everything that happens in a run, typed once. The board, the plain lines, `--json` and (later) the
 * console are views of these; the journal keeps what a resume needs.
 */
import type { ErrorCode } from "../base/errors.ts";

/**
 * The steps of a rotation, `prepare` and `once` being before any node leaves, `undo` being where workers could not be
 * replaced: one vocabulary for code, journal, events, board and docs.
 */
export const stepNames = [
  "prepare",
  "once",
  "survey",
  "drain",
  "settle",
  "upgrade",
  "restart",
  "undo",
  "check",
  "ready",
  "soak",
] as const;
export type StepName = (typeof stepNames)[number];

/** Commands beside the rotations (`hooks:`): before and after a deploy, a batch and a node. */
export const hookNames = [
  "before_deploy",
  "after_deploy",
  "before_batch",
  "after_batch",
  "before_node",
  "after_node",
] as const;
export type HookName = (typeof hookNames)[number];

/** How a command on a node ended. `unknown`: the wire broke before the answer, so the world must be asked again. */
export type Outcome = { kind: "done" } | { kind: "failed"; why: string } | { kind: "unknown"; why: string };

export interface OutputLine {
  stream: "stdout" | "stderr";
  /** One line, printable, without its newline. */
  text: string;
}

export const workerStates = ["booting", "ready", "failed", "leaving", "gone"] as const;

/** What became of one worker of an app whose workers are replaced one by one. */
export interface WorkerNews {
  pid: number;
  state: (typeof workerStates)[number];
  /** So many the app has. */
  of: number;
  /** Started for this; absent where that is known from before. */
  isNew?: boolean;
  /** Milliseconds since its start. */
  sinceMs?: number;
  /** The folder that it loaded the app from. */
  release?: string;
  /** The old release is being put back. */
  goesBack?: true;
}

/** How a node's trip ended: back in rotation; untouched (as found); left out of rotation; kept out as it was found. */
export const nodeEnds = ["back", "as found", "out", "kept out"] as const;
export type NodeEnd = (typeof nodeEnds)[number];

export const runEnds = ["done", "failed", "interrupted", "refused", "aborted", "rolled back"] as const;
export type RunEnd = (typeof runEnds)[number];

export const commandNames = ["deploy", "rotate", "drain", "ready", "rollback"] as const;
export type CommandName = (typeof commandNames)[number];

/** What a person does that is no run of its own, and is written down all the same. */
export const deedNames = ["pause", "resume", "abort", "unlock", "prune", "tell again", "lose lease"] as const;
export type DeedName = (typeof deedNames)[number];

export type Event = { at: string } & EventBody;

export type EventBody =
  | {
      type: "run started";
      run: string;
      command: CommandName;
      fleet: string;
      by: string;
      reason: string | undefined;
      set: Record<string, string>;
      nodes: string[];
      leftAlone: { node: string; why: string }[];
      /** The run that this one undoes. */
      undoes?: string | undefined;
    }
  | { type: "batch started"; pool: string; batch: number; of: number; nodes: string[]; canary?: true }
  | { type: "step started"; node: string; step: StepName }
  | { type: "waiting"; node: string; step: StepName; saw: string }
  | { type: "output"; node: string; step: StepName; stream: OutputLine["stream"]; text: string }
  | ({ type: "worker"; node: string; step: StepName } & WorkerNews)
  | { type: "step ended"; node: string; step: StepName; ok: boolean; ms: number; why?: string }
  | { type: "node ended"; node: string; end: NodeEnd; ms: number; outMs: number; why?: string }
  | { type: "hook started"; hook: HookName; node?: string }
  | { type: "hook output"; hook: HookName; node?: string; stream: OutputLine["stream"]; text: string }
  | { type: "hook ended"; hook: HookName; node?: string; ok: boolean; ms: number; why?: string }
  | { type: "notice"; node?: string; text: string }
  /** It went to somebody else, or could not be renewed: the run stops before its next act. */
  | { type: "lease lost" }
  | { type: "stopping"; how: "after this node" | "now" }
  | {
      type: "run ended";
      run: string;
      end: RunEnd;
      ms: number;
      code?: ErrorCode;
      problem?: string;
      left?: string;
      next?: string;
    };

export type Emit = (event: EventBody) => void;

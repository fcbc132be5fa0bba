/** What the heart writes down, and reads again: the journal as it needs it. Times are milliseconds, or dates. */
import type {
  CommandName,
  DeedName,
  HookName,
  NodeEnd,
  Outcome,
  RunEnd,
  StepName,
} from "../events/events.ts";
import type { AdminState, Agent, Place } from "./ports.ts";

/** A node that is out of rotation because of us. */
export interface Absence {
  node: string;
  /** `hold`: a person took it out on purpose. `run`: a rotation that has not put it back. */
  kind: "hold" | "run";
  run: string;
  by: string;
  reason: string | undefined;
  since: Date;
  /** A hold's end, as its owner meant it; nothing happens by itself then. */
  until: Date | undefined;
  /** How the places were before. */
  found: Found[];
}

/** A place as it was found, so that it can be left so. */
export interface Found extends Place {
  admin: AdminState;
  weight: number;
  /** HAProxy asked an agent. */
  agent?: Agent | undefined;
  /** Its weight now may be a step of ours on the way to the one found. */
  stepped?: true | undefined;
}

/** Where a node's link `current` leads to, before and after: "releases/42-3f2a9c1b77de", or what else was there. */
export interface Switch {
  /** The folder that the link lies in. */
  to: string;
  /** Absent where there was no link. */
  before: string | undefined;
  after: string;
}

export interface SwitchRecord extends Switch {
  run: string;
  node: string;
  at: Date;
}

/** Who starts a run, and with what. */
export interface RunStart {
  command: CommandName;
  fleet: string;
  by: string;
  reason: string | undefined;
  /** Values of --set, secrets redacted. */
  set: Record<string, string>;
  /** Names, in order. */
  nodes: string[];
  /** What the command was given: a resume goes by it. */
  args: Record<string, unknown>;
  /** The run that this one undoes. */
  undoes?: string | undefined;
  /** Values of --set by node, where each has its own: of a rollback. */
  sets?: Record<string, Record<string, string>> | undefined;
}

/** Where runs are recorded, before and after each act. @throws RotaError JOURNAL, LEASE_LOST */
export interface Journal {
  begin(start: RunStart): Promise<string>;
  /** Goes on with a run that had ended, or whose process is gone. */
  resumed(run: string): Promise<void>;
  stepStarted(run: string, node: string, step: StepName): Promise<void>;
  /** `unknown` where nobody knows whether it was done: a resume must find out. */
  stepEnded(run: string, node: string, step: StepName, end: Outcome["kind"], why?: string): Promise<void>;
  /** What a command printed, secrets redacted; `node` is empty for a hook of the run or of a batch. */
  printed(run: string, node: string, step: StepName | HookName, text: string): Promise<void>;
  /** Written before the act, and again where it is done again. */
  switched(run: string, node: string, change: Switch): Promise<void>;
  /** Written before the act that takes the node out. */
  takenOut(fleet: string, absence: Absence): Promise<void>;
  /** Written after the node was seen back as it was found. */
  putBack(fleet: string, node: string): Promise<void>;
  nodeEnded(run: string, node: string, end: NodeEnd, why?: string): Promise<void>;
  end(run: string, end: RunEnd, message?: string): Promise<void>;
  /** The run is over: another one undoes it. How it had ended stays readable. */
  undone(run: string, by: string): Promise<void>;
}

/** What the journal knows from before. @throws RotaError JOURNAL */
export interface Known {
  /** Nodes of the fleet that are out because of us, by name. */
  absences(fleet: string): Promise<Map<string, Absence>>;
  /** What the last deploy or rollback that put this node back was given with --set. */
  lastSet(fleet: string, node: string): Promise<Record<string, string> | undefined>;
  /** Every deploy and rollback that did something on these nodes, the newest first. */
  changes(fleet: string, nodes: string[]): Promise<Change[]>;
  /**
   * Switches of `current` on this node, the newest first. One that stands here may not have been done: the node knows.
   * A run after which nothing of it stands here found the node with its release.
   */
  switches(fleet: string, node: string): Promise<SwitchRecord[]>;
  /** How long the last good rotations of the fleet took, a node: milliseconds, newest first. */
  lastRotations(fleet: string): Promise<number[]>;
  /** Runs, the newest first; of one fleet, or of all. */
  runs(fleet: string | undefined, most: number): Promise<RunRecord[]>;
  /** Who asked this run to start no other node, if so. */
  pausedBy(run: string): Promise<string | undefined>;
  /** Deeds, the newest first; of one fleet and of the journal itself, or all. */
  deeds(fleet: string | undefined, most: number): Promise<DeedRecord[]>;
  /** What each node was given with --set by the last deploy or rollback that put it back, by name: `lastSet` of all. */
  lastSets(fleet: string): Promise<Map<string, Record<string, string>>>;
  /**
   * One run by its id, or by the beginning of it; undefined unless exactly one begins so.
   *
   * @param printed false: without `outputs`, which may be megabytes
   */
  run(id: string, printed?: boolean): Promise<WholeRun | undefined>;
}

/** What one run did on one node: its upgrade or its restart was begun. */
export interface Change {
  run: string;
  command: CommandName;
  /** The run that it undid. */
  undoes: string | undefined;
  node: string;
  began: Date;
  /** Undefined where the node's trip has no end. */
  ended: Date | undefined;
  /** It came back, or stayed out as it was to, and nothing was wrong with it. */
  good: boolean;
  /** The node went back by itself to what it ran before. */
  wentBack: boolean;
  /** What the node was given with --set. */
  set: Record<string, string>;
}

/** A run as the journal has it. */
export interface RunRecord extends RunStart {
  run: string;
  started: Date;
  /** Undefined where it was not finished: it runs, or its process is gone. */
  ended: Date | undefined;
  outcome: RunEnd | undefined;
  message: string | undefined;
}

/** With everything that is known of its nodes. */
export interface WholeRun extends RunRecord {
  steps: StepRecord[];
  trips: { node: string; ended: Date; outcome: NodeEnd; why: string | undefined }[];
  outputs: { node: string; step: StepName | HookName; text: string }[];
  deeds: DeedRecord[];
}

/** What a person did that is no run: for whoever asks later who it was, and why. */
export interface Deed {
  deed: DeedName;
  /** Absent where it concerns the journal as a whole. */
  fleet: string | undefined;
  run: string | undefined;
  by: string;
  reason: string | undefined;
  /** What came of it, for people. */
  what: string | undefined;
}

export interface DeedRecord extends Deed {
  at: Date;
}

export interface StepRecord {
  node: string;
  step: StepName;
  started: Date;
  /** Undefined where nobody knows how it ended. */
  ended: Date | undefined;
  ok: boolean | undefined;
  why: string | undefined;
}

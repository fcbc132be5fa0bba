/** What the heart needs from the rooms around it. Times are milliseconds. */
import type { RotaError } from "../base/errors.ts";
import type { Outcome, OutputLine, StepName, NodeEnd, RunEnd, CommandName } from "../events/events.ts";
import type { Check, Node } from "../inventory/fleet.ts";

export type { Outcome, OutputLine } from "../events/events.ts";

/** Where a node stands: one server line of one backend of one balancer. */
export interface Place {
  balancer: string;
  backend: string;
  server: string;
}

/** What a person or rota set: HAProxy's admin state. */
export type AdminState = "ready" | "drain" | "maint";

/** A node's server line as its balancer sees it now. */
export interface Entry extends Place {
  admin: AdminState;
  weight: number;
  /** Why load balancing sends nothing here now, if so: by a person's hand, or because checks fail. */
  outBecause: "person" | "health" | undefined;
  /** For people: HAProxy's own word, as UP, DOWN, DRAIN, "MAINT (via app/web1)", and the last check's text. */
  status: string;
  lastCheck: string;
  sessions: number;
  backup: boolean;
  /** HAProxy checks it itself (not through another server that it tracks). */
  checked: boolean;
  /** "backend/server" that it follows; absent for most. */
  tracks: string | undefined;
}

/** One backend of one balancer, as a whole. */
export interface Backend {
  balancer: string;
  backend: string;
  /** Servers in it, backups not counted. */
  servers: number;
  /** Of these, the ones that take traffic now. */
  serving: number;
  /** Backups that would take traffic where no other server does. */
  backups: number;
  /** Who doesn't, and why, for people: "web3 DRAIN". */
  absent: string[];
}

/** What every balancer showed at one look. */
export interface Survey {
  entries: Entry[];
  backends: Backend[];
  /** Balancers that could not be read, and why. */
  unread: { balancer: string; error: RotaError }[];
}

/** What one place does at this moment. */
export interface Activity extends Place {
  /** HAProxy's worker: another one knows nothing of what the one before was told. */
  process: number;
  /** No new request can be balanced to it. */
  out: boolean;
  status: string;
  sessions: number;
  queued: number;
  total: number;
  retried: number;
  /** Checks: how good the last ones were, and what one pass (or `rise`) makes of it. */
  health: { now: number; full: number; fall: number } | undefined;
}

/**
 * The balancers, all asked at once. @throws RotaError BALANCER_UNREACHABLE, BALANCER_ANSWER,
 * BALANCER_RIGHTS or SERVER_MISSING, naming every balancer that it is true of
 */
export interface Balancers {
  /** Everything on every balancer. One that can't be read, or gives too few rights to change it, is listed. */
  survey(needs: "read" | "change"): Promise<Survey>;
  /** These places, read afresh. */
  look(places: Place[]): Promise<Entry[]>;
  /** Sets the admin state everywhere at once and reads back that each took it. */
  set(places: Place[], state: AdminState): Promise<void>;
  /** Drain, with the health verdict taken back: only `rise` new checks bring it up. Read back. */
  distrust(places: Place[]): Promise<void>;
  /** Cheap: asks only about these places. */
  watch(places: Place[]): Promise<Activity[]>;
  /** The backends of these places, counted now. */
  capacity(places: Place[]): Promise<Backend[]>;
}

export interface CommandOptions {
  /** Reach the command as environment, never as text in the command. */
  variables: Record<string, string>;
  /** Milliseconds. A command that runs longer is `unknown`: it may still be running. */
  within: number;
  signal: AbortSignal;
  onOutput: (line: OutputLine) => void;
  /** Asked when the host is ready, right before the command is sent; what it throws means: not sent. */
  mayStart?: () => Promise<void>;
}

/** The nodes' hosts, over SSH: one connection a node, opened ahead of need, kept until it is closed. */
export interface Hosts {
  /** Connects, or reuses the connection if it still lives. @throws RotaError HOST_UNREACHABLE, HOST_KEY */
  open(node: Node): Promise<void>;
  /** Runs a script as `/bin/sh -eu`. Opens the connection if it must; never throws for what the command does. */
  run(node: Node, script: string, options: CommandOptions): Promise<Outcome>;
  close(node: Node): void;
}

/** What the node's page must answer. */
export type Wanted = Pick<Check, "status" | "body"> & {
  /** This status is as good. */
  orStatus?: number | undefined;
};

/** One request to the node's own status page. */
export interface Health {
  /** @returns undefined for a good answer, else what is wrong with it: "answered 503 instead of 200" */
  faultOf(
    check: Wanted & { url: string },
    options: { within: number; signal: AbortSignal },
  ): Promise<string | undefined>;
  /** Tells the node's app something; never throws for what the network does. */
  post(url: string, options: { within: number; signal: AbortSignal }): Promise<Outcome>;
}

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
}

/** Where runs are recorded, before and after each act. @throws RotaError JOURNAL, LEASE_LOST */
export interface Journal {
  begin(start: RunStart): Promise<string>;
  /** Goes on with a run that had ended, or whose process is gone. */
  resumed(run: string): Promise<void>;
  stepStarted(run: string, node: string, step: StepName): Promise<void>;
  /** `unknown` where nobody knows whether it was done: a resume must find out. */
  stepEnded(run: string, node: string, step: StepName, end: Outcome["kind"], why?: string): Promise<void>;
  /** What a command printed, secrets redacted. */
  printed(run: string, node: string, step: StepName, text: string): Promise<void>;
  /** Written before the act that takes the node out. */
  takenOut(fleet: string, absence: Absence): Promise<void>;
  /** Written after the node was seen back as it was found. */
  putBack(fleet: string, node: string): Promise<void>;
  nodeEnded(run: string, node: string, end: NodeEnd, why?: string): Promise<void>;
  end(run: string, end: RunEnd, message?: string): Promise<void>;
}

/** What the journal knows from before. @throws RotaError JOURNAL */
export interface Known {
  /** Nodes of the fleet that are out because of us, by name. */
  absences(fleet: string): Promise<Map<string, Absence>>;
  /** What the last deploy that put this node back was given with --set. */
  lastSet(fleet: string, node: string): Promise<Record<string, string> | undefined>;
  /** How long the last good rotations of the fleet took, a node: milliseconds, newest first. */
  lastRotations(fleet: string): Promise<number[]>;
  /** Runs, the newest first; of one fleet, or of all. */
  runs(fleet: string | undefined, most: number): Promise<RunRecord[]>;
  /** Who asked this run to start no other node, if so. */
  pausedBy(run: string): Promise<string | undefined>;
  /** One run by its id, or by the beginning of it; undefined unless exactly one begins so. */
  run(id: string): Promise<WholeRun | undefined>;
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
  outputs: { node: string; step: StepName; text: string }[];
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

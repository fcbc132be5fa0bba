/** What the heart needs from the rooms around it. Times are milliseconds. */
import type { RotaError } from "../base/errors.ts";
import type { Outcome, OutputLine } from "../events/events.ts";
import type { Check, Node } from "../inventory/fleet.ts";
import type { LocalFile } from "./release/release.ts";

export type { Outcome, OutputLine } from "../events/events.ts";

/** Where a node stands: one server line of one backend of one balancer. */
export interface Place {
  balancer: string;
  backend: string;
  server: string;
}

/** What a person or rota set: HAProxy's admin state. */
export type AdminState = "ready" | "drain" | "maint";

/** What an agent said last (Configuration Manual §5.2, "agent-check"). */
export type Agent = "up" | "down";

/** A node's server line as its balancer sees it now. */
export interface Entry extends Place {
  admin: AdminState;
  weight: number;
  /** What the balancer's configuration gives it. */
  initialWeight: number;
  /** Why load balancing sends nothing here now, if so: by a person's hand, or because checks fail. */
  outBecause: "person" | "health" | undefined;
  /** For people: HAProxy's own word, as UP, DOWN, DRAIN, "MAINT (via app/web1)", and the last check's text. */
  status: string;
  lastCheck: string;
  sessions: number;
  traffic: Traffic;
  backup: boolean;
  /** HAProxy checks it itself (not through another server that it tracks). */
  checked: boolean;
  /** "backend/server" that it follows; absent for most. */
  tracks: string | undefined;
  /** Where requests go, "10.0.0.1:8000"; absent where that is no IP address with a port. */
  address: string | undefined;
  /** An agent is asked, whose answers may undo what the balancer was told; `down`: by its word the server is out. */
  agent: Agent | undefined;
}

/** What goes through one server line; in TCP mode connections are counted, and answers are not. */
export interface Traffic {
  /** Requests in the last second. */
  perSecond: number;
  /** Since HAProxy's worker began: answers of 500 or more, answers that were none, and connections refused. */
  errors: number;
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
  /** Where the weights of its servers differ: the sum of all, and of those that serve. */
  weight: { whole: number; serving: number } | undefined;
  /** Who doesn't. */
  absent: Absent[];
}

/** A server that takes no traffic now. */
export type Absent = Place & Pick<Entry, "status" | "weight" | "outBecause" | "tracks">;

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

/** What one place has counted since its worker began, and how it stands. */
export interface Tally extends Place {
  /** As in `Activity`; 0 where it is not told: then a worker that is new shows in counts that are less. */
  process: number;
  status: string;
  /** False in TCP mode: connections are counted, and nobody knows what was answered. */
  http: boolean;
  counts: Counts;
  /** Mean time to an answer, of the last 1,024 requests. */
  answerMs: number;
}

/** All but `running` only grow. */
export interface Counts {
  /** Requests, or connections, that were given to it; each try of one counts. */
  sent: number;
  /** Of these, not ended yet. */
  running: number;
  /** With any status. */
  answered: number;
  /** With a status of 500 or more, by the app itself. */
  errors: number;
  /** Connections that it did not take. */
  refused: number;
  /** Answers that it did not end. */
  cut: number;
  /** Requests whose client went away. */
  abandoned: number;
  /** Tries that were followed by another one, here or elsewhere. */
  retried: number;
  failedChecks: number;
  /** Times that it went down. */
  downs: number;
}

/** What a reload left behind: workers that take nothing new and end the requests they have. */
export interface OldWorkers {
  /** `process` is the old worker; places where it has no server are left out. */
  active: Activity[];
  /** Balancers that have a new worker since `age` milliseconds, and whose old ones can't be asked. */
  unseen: { balancer: string; age: number; next: string }[];
}

/** A request, or in TCP mode a connection, that a balancer has open to a server. */
export interface Session extends Place {
  /** The client's address as the balancer has it. */
  client: string;
  /** Milliseconds. */
  age: number;
  /** The old worker that has it; absent for the current one. */
  oldWorker?: number;
}

/**
 * The balancers, all asked at once. @throws RotaError BALANCER_UNREACHABLE, BALANCER_ANSWER,
 * BALANCER_RIGHTS or SERVER_MISSING, naming every balancer that it is true of
 */
export interface Balancers {
  /** Everything on every balancer. One that can't be read, or gives too few rights to change it, is listed. */
  survey(needs: "read" | "change"): Promise<Survey>;
  /** Those of these balancers that answer, at whatever level of rights; never throws for the others. */
  answering(names: string[]): Promise<string[]>;
  /** These places, read afresh. */
  look(places: Place[]): Promise<Entry[]>;
  /**
   * Sets the admin state everywhere at once and reads back that each took it. Out, agents are asked no more: an
   * answer could undo it.
   */
  set(places: Place[], state: AdminState): Promise<void>;
  /** Drain, with the health verdict taken back: only `rise` new checks bring it up. Read back. */
  distrust(places: Place[]): Promise<void>;
  /** Agents are asked again, read back; one that said `down` keeps its server out until its next answer. */
  askAgents(places: (Place & { agent: Agent })[]): Promise<void>;
  /** Sets weights, 0 to 256, and reads them back. @returns places where a static algorithm takes none */
  weigh(places: (Place & { weight: number })[]): Promise<Place[]>;
  /** Cheap: asks only about these places. */
  watch(places: Place[]): Promise<Activity[]>;
  /** What these places have counted. As cheap; those of one balancer are counted at the same moment. */
  tally(places: Place[]): Promise<Tally[]>;
  /** What old workers still do there: asked after `watch`, which tells of a new worker. */
  oldWorkers(places: Place[]): Promise<OldWorkers>;
  /** Who is there, old workers included. Nothing of a balancer that does not tell, or has too many to list. */
  sessions(places: Place[]): Promise<Session[]>;
  /** Ends every session there, old workers included; returns how many that were. Their clients see an error. */
  shut(places: Place[]): Promise<number>;
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

export interface UploadOptions {
  /** Of the file in the folder of uploads on the node: letters, digits, "-" and "."; what comes before the first "-" is the node's. */
  name: string;
  /** Milliseconds in which something must move; the whole may take longer. */
  within: number;
  signal: AbortSignal;
  /** Bytes that the node has. */
  onProgress: (bytes: number) => void;
}

/** `unknown`: the connection was cut; what the node has by then is not sent again. */
export type UploadEnd = { kind: "done"; path: string } | Exclude<Outcome, { kind: "done" }>;

/** The nodes' hosts, over SSH: one connection a node, opened ahead of need, kept until it is closed. */
export interface Hosts {
  /** Connects, or reuses the connection if it still lives. @throws RotaError HOST_UNREACHABLE, HOST_LOGIN, HOST_KEY */
  open(node: Node): Promise<void>;
  /** Runs a script as `/bin/sh -eu`. Opens the connection if it must; never throws for what the command does. */
  run(node: Node, script: string, options: CommandOptions): Promise<Outcome>;
  /**
   * Brings a file into a folder of the login user's own, from where an earlier try ended; its checksum is verified there.
   * Earlier uploads for the node are removed. Never throws for what happens on the node.
   */
  upload(node: Node, file: LocalFile, options: UploadOptions): Promise<UploadEnd>;
  close(node: Node): void;
}

/** The machine that rota runs on. */
export interface Here {
  /** Runs a script as `/bin/sh -eu`. At the limit, or when it is stopped, it is ended with all that it started. */
  run(script: string, options: CommandOptions): Promise<Outcome>;
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
  /** A field of the JSON that the page answers with, at whatever status, as text; "a.b" is b in a. Undefined where there is none. */
  fieldOf(
    url: string,
    field: string,
    options: { within: number; signal: AbortSignal },
  ): Promise<string | undefined>;
  /** Tells the node's app something; never throws for what the network does. */
  post(url: string, options: { within: number; signal: AbortSignal }): Promise<Outcome>;
}

/**
 * Readers of HAProxy's runtime answers. Pure. Every answer is judged: what is not understood is an error,
 * never a guess. Source: HAProxy Management Guide §9.1 (CSV fields) and §9.3 (commands).
 */

import { printable } from "../base/quote.ts";
import { csvRecords } from "./csv.ts";
import { refusal } from "./refusals.ts";

export { AnswerError, type AnswerProblem } from "./refusals.ts";

/** The answer to a command that changes something: nothing but an empty line is success. */
export function readDone(frame: string): void {
  if (frame !== "") throw refusal(frame);
}

export function readLevel(frame: string): string {
  if (/^(user|operator|admin)$/.test(frame)) return frame;
  throw refusal(frame);
}

export interface Info {
  version: string;
  /** The worker's process id: another one means that HAProxy was reloaded or restarted. */
  pid: number;
  /** This worker was replaced and only ends its sessions. */
  stopping: boolean;
  /** Seconds since this worker was started; undefined where it does not say. */
  uptime: number | undefined;
}

export function readInfo(frame: string): Info {
  const fields = new Map(
    frame.split("\n").map((line) => {
      const colon = line.indexOf(": ");
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
  const version = fields.get("Version");
  const pid = Number(fields.get("Pid"));
  if (version === undefined || !Number.isSafeInteger(pid)) throw refusal(frame);
  const seconds = fields.get("Uptime_sec") ?? "";
  const uptime = /^\d+$/.test(seconds) ? Number(seconds) : undefined;
  return { version, pid, stopping: fields.get("Stopping") === "1", uptime };
}

/** A row of `show servers state`. */
export interface ServerState {
  backend: string;
  /** HAProxy's own numbers; a reload may change them. */
  backendId: number;
  server: string;
  serverId: number;
  /** 0 stopped, 1 starting (slowstart), 2 running, 3 stopping (answers 404). */
  operational: number;
  /** Bits; see `admin` below. */
  admin: number;
  /** The weight in use; 0 takes no new clients. */
  weight: number;
  /** The configuration's. */
  initialWeight: number;
  /** HAProxy runs health checks on this server. */
  checked: boolean;
  /** HAProxy asks an agent on it, whose answer may undo drain and maint. */
  agent: boolean;
  /** A question to its agent is under way. */
  agentBusy: boolean;
  /** As HAProxy has it: an IP address, a socket's path, or "-" where DNS did not answer. */
  address: string;
  /** 0 for a path, and for the port of the client's connection. */
  port: number;
}

/** Bits of srv_admin_state (Management Guide §9.3, "show servers state"). */
export const admin = {
  /** Forced maintenance: by a person, or by us. */
  maint: 0x01,
  maintInherited: 0x02,
  /** Forced drain: by a person, or by us. */
  drain: 0x08,
  drainInherited: 0x10,
  /** No address: DNS did not answer. */
  unresolved: 0x20,
} as const;

const outOfBalancing =
  admin.maint | admin.maintInherited | admin.drain | admin.drainInherited | admin.unresolved;

/** The load balancing sends new requests here. */
export const takesTraffic = (state: ServerState): boolean =>
  (state.operational === 1 || state.operational === 2) &&
  (state.admin & outOfBalancing) === 0 &&
  state.weight > 0;

const checkRunning = 0x01;
const checkEnabled = 0x04;

export const readServerStates = (frame: string): ServerState[] => readStateRows(frame).map(readServerState);

export function readStateRows(frame: string): Fields[] {
  const [format, header, ...rows] = frame.split("\n");
  if (format !== "1" || !header?.startsWith("# ")) throw refusal(frame);
  const columns = columnsOf(header.slice(2).split(" "));
  return rows.map((row) => namedFields(columns, row.split(" "), frame));
}

export const readServerState = (field: Fields): ServerState => ({
  backend: field.text("be_name"),
  backendId: field.count("be_id"),
  server: field.text("srv_name"),
  serverId: field.count("srv_id"),
  operational: field.count("srv_op_state"),
  admin: field.count("srv_admin_state"),
  weight: field.count("srv_uweight"),
  initialWeight: field.count("srv_iweight"),
  checked: (field.count("srv_check_state") & checkEnabled) !== 0,
  agent: (field.count("srv_agent_state") & checkEnabled) !== 0,
  agentBusy: (field.count("srv_agent_state") & checkRunning) !== 0,
  address: field.text("srv_addr"),
  port: field.count("srv_port"),
});

/** A server's row of `show stat`, as far as people and the plan need it. */
export interface ServerRow {
  backend: string;
  server: string;
  /** For people: "UP", "UP 1/2", "DOWN", "DRAIN", "MAINT (via app/web1)", "no check". */
  status: string;
  backup: boolean;
  sessions: number;
  traffic: { perSecond: number; errors: number };
  /** "backend/server" whose health and admin state this one follows, or "". */
  tracks: string;
  /** The text of the last failed or passed check, from the app: not to be trusted. */
  lastCheck: string;
}

export const readServerRows = (frame: string): ServerRow[] => readCsv(frame).map(readServerRow);

export const readServerRow = (field: Fields): ServerRow => ({
  backend: field.text("pxname"),
  server: field.text("svname"),
  status: field.text("status"),
  backup: field.text("bck") === "1",
  sessions: field.count("scur"),
  traffic: {
    perSecond: countedIn(field, "rate"),
    errors: ["hrsp_5xx", "eresp", "econ"].reduce((sum, name) => sum + countedIn(field, name), 0),
  },
  tracks: field.text("tracked"),
  lastCheck: [field.text("check_status").replace(/^\* /, ""), field.text("last_chk")]
    .filter(Boolean)
    .join(" "),
});

/** A field that is empty is not counted in that mode. */
export const countedIn = (field: Fields, name: string): number =>
  field.text(name) === "" ? 0 : field.count(name);

/** What one server does at this moment. */
export interface Activity {
  backend: string;
  server: string;
  status: string;
  /** Requests (in TCP mode connections) that HAProxy has open to this server. */
  sessions: number;
  /** Requests waiting for this server. */
  queued: number;
  /** Requests ever sent to it. */
  total: number;
  /** Requests whose connection to it failed, or was tried again, here or elsewhere: for seconds nothing shows them. */
  retried: number;
  /** HAProxy's count of good checks, `full` after a pass. Absent without checks, and while they rest in maint. */
  health: { now: number; full: number; fall: number } | undefined;
}

export const readActivity = (frame: string): Activity[] => readCsv(frame).map(readActivityRow);

export const readActivityRow = (field: Fields): Activity => ({
  backend: field.text("pxname"),
  server: field.text("svname"),
  status: field.text("status"),
  sessions: field.count("scur"),
  queued: field.count("qcur"),
  total: field.count("stot"),
  retried: field.count("wretr") + field.count("wredis") + field.count("econ"),
  health: readHealth(field),
});

function readHealth(field: Fields): Activity["health"] {
  if (field.text("check_rise") === "" || field.text("check_fall") === "") return undefined;
  const fall = field.count("check_fall");
  return { now: field.count("check_health"), full: field.count("check_rise") + fall - 1, fall };
}

/** A backend's row of `show stat`. */
export interface BackendRow {
  backend: string;
  /** Servers that load balancing can use now, backups not counted. */
  serving: number;
  /** Backups that it can use now; they serve where no other server does. */
  backups: number;
}

export const readBackends = (frame: string): BackendRow[] => readCsv(frame).map(readBackend);

export const readBackend = (field: Fields): BackendRow => ({
  backend: field.text("pxname"),
  serving: field.count("act"),
  backups: field.count("bck"),
});

/** A row's fields by the names in its header: their places differ between versions of HAProxy. */
export interface Fields {
  /** Made safe to print: a check's text is the app's own words, and a statistics page may be anybody's. */
  text(name: string): string;
  /** A whole number, 0 or more. */
  count(name: string): number;
  /** Of a column that not every version has. */
  optional(name: string): string | undefined;
}

/** Where each column stands; of two with one name, the first. */
const columnsOf = (header: string[]): Map<string, number> =>
  new Map(header.map((name, i) => [name, i] as const).toReversed());

function namedFields(columns: Map<string, number>, values: string[], frame: string): Fields {
  // A row that is shorter than its header was cut.
  if (values.length < columns.size) throw refusal(frame);
  const optional = (name: string): string | undefined => values[columns.get(name) ?? -1];
  const text = (name: string): string => {
    const value = optional(name);
    if (value === undefined) throw refusal(frame);
    return printable(value);
  };
  const count = (name: string): number => {
    const value = optional(name);
    if (value === undefined || !/^\d+$/.test(value)) throw refusal(frame);
    return Number(value);
  };
  return { text, count, optional };
}

export function readCsv(frame: string): Fields[] {
  const [header = [], ...rows] = frame.startsWith("# pxname,") ? (csvRecords(frame.slice(2)) ?? []) : [];
  if (header.length === 0) throw refusal(frame);
  const columns = columnsOf(header);
  return rows.map((row) => namedFields(columns, row, frame));
}

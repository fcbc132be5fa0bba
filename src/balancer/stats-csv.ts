/** The statistics page as CSV → what the rotation works with. Pure. It has no admin bits: `status` must do. */
import type { Activity, AdminState, Entry, Tally } from "../rotation/ports.ts";
import {
  type BackendRow,
  type Fields,
  readActivityRow,
  readBackend,
  readCsv,
  readServerRow,
} from "./answers.ts";
import { readTallyRow } from "./tally.ts";

export interface StatsCsv {
  entries: Entry[];
  activity: Activity[];
  tallies: Tally[];
  totals: BackendRow[];
}

/** The column `type` (Management Guide §9.1). */
const [backendType, serverType] = ["1", "2"];

/** @throws AnswerError for what is no whole CSV of HAProxy's */
export function readStatsCsv(balancer: string, text: string): StatsCsv {
  const rows = readCsv(text.trimEnd());
  const servers = rows.filter((row) => row.text("type") === serverType);
  return {
    entries: servers.map((row) => entryOf(balancer, row)),
    activity: servers.map((row) => ({
      ...readActivityRow(row),
      balancer,
      process: 0, // not told; a reload shows in the counters, which begin anew
      out: /^(DRAIN|MAINT)/.test(row.text("status")),
    })),
    tallies: servers.map((row) => ({ ...readTallyRow(row), balancer, process: 0 })),
    totals: rows.filter((row) => row.text("type") === backendType).map(readBackend),
  };
}

function entryOf(balancer: string, row: Fields): Entry {
  const { backend, server, status, lastCheck, sessions, traffic, backup, tracks } = readServerRow(row);
  const weight = row.count("uweight");
  return {
    balancer,
    backend,
    server,
    admin: adminOf(status),
    weight,
    initialWeight: weight, // not told
    outBecause: outBecause(status, weight),
    status,
    lastCheck,
    sessions,
    traffic,
    backup,
    checked: status !== "no check" && tracks === "",
    tracks: tracks || undefined,
    address: addressIn(row.text("addr")),
    agent: agentOf(row, status),
  };
}

const agentOf = (row: Fields, status: string): Entry["agent"] =>
  row.text("agent_status") === "" ? undefined : status.startsWith("DOWN (agent)") ? "down" : "up";

/** HAProxy shows it only where the page may ("stats show-legends"), and "unix" for a socket. */
const addressIn = (text: string): string | undefined =>
  /^(\d+(\.\d+){3}|\[[0-9a-fA-F:.]+\]):[1-9]\d*$/.test(text) ? text : undefined;

/** A server that is drained and down shows as DOWN, one that is drained and answers 404 as NOLB. */
function adminOf(status: string): AdminState {
  if (/^MAINT(?! \(resolution)/.test(status)) return "maint";
  return status.startsWith("DRAIN") ? "drain" : "ready";
}

function outBecause(status: string, weight: number): Entry["outBecause"] {
  if (adminOf(status) !== "ready" || /^(NOLB|DOWN \(agent\))/.test(status) || weight === 0) return "person";
  return /^(UP|no check)/.test(status) ? undefined : "health";
}

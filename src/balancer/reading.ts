/** From HAProxy's rows to what the rotation works with. Pure. */
import { isIP } from "node:net";
import type { AdminState, Absent, Backend, Entry } from "../rotation/ports.ts";
import { type BackendRow, type ServerRow, type ServerState, admin, takesTraffic } from "./answers.ts";

const person = admin.maint | admin.maintInherited | admin.drain | admin.drainInherited;

/** An agent keeps the server out: a person's doing, or that of whatever a person put there. */
const saysAgentDown = (status: string): boolean => status.startsWith("DOWN (agent)");

/** By whose will load balancing leaves this server out. A 404 page (stopping) and weight 0 are a person's doing. */
function outBecause(state: ServerState, status: string): Entry["outBecause"] {
  if ((state.admin & person) !== 0 || state.weight === 0 || state.operational === 3) return "person";
  if (saysAgentDown(status)) return "person";
  return takesTraffic(state) ? undefined : "health";
}

export function adminState(state: ServerState): AdminState {
  if (state.admin & admin.maint) return "maint";
  return state.admin & admin.drain ? "drain" : "ready";
}

/** Out by somebody's will, its own or that of the server it tracks, so that no passing check can bring it back. */
export const heldOut = (state: ServerState): boolean => (state.admin & person) !== 0;

/** Whether a server that was told this is so. One that tracks another takes its state over from there. */
export function tookState(state: ServerState, told: AdminState): boolean {
  const inherits = (state.admin & (admin.maintInherited | admin.drainInherited)) !== 0;
  return adminState(state) === told || (told !== "ready" && inherits);
}

/** Joins both answers by name; a server that only one of them has came or went in between, and is left out. */
export function entriesOf(balancer: string, states: ServerState[], rows: ServerRow[]): Entry[] {
  const rowOf = new Map(rows.map((row) => [`${row.backend}/${row.server}`, row]));
  return states.flatMap((state) => {
    const row = rowOf.get(`${state.backend}/${state.server}`);
    if (!row) return [];
    return {
      balancer,
      backend: state.backend,
      server: state.server,
      admin: adminState(state),
      weight: state.weight,
      initialWeight: state.initialWeight,
      outBecause: outBecause(state, row.status),
      status: row.status,
      lastCheck: row.lastCheck,
      sessions: row.sessions,
      traffic: row.traffic,
      backup: row.backup,
      checked: state.checked && row.tracks === "",
      tracks: row.tracks || undefined,
      address: addressOf(state),
      agent: state.agent ? (saysAgentDown(row.status) ? "down" : "up") : undefined,
    };
  });
}

function addressOf({ address, port }: ServerState): string | undefined {
  if (isIP(address) === 0 || port === 0) return undefined;
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

export function backendsOf(balancer: string, entries: Entry[], rows: BackendRow[]): Backend[] {
  return rows.flatMap(({ backend, serving, backups }) => {
    const servers = entries.filter((entry) => entry.backend === backend && !entry.backup);
    if (servers.length + backups === 0) return [];
    const absent = servers.filter((entry) => entry.outBecause).map(absentOf);
    const weight = weightOf(servers);
    return { balancer, backend, servers: servers.length, serving, backups, weight, absent };
  });
}

const absentOf = ({ status, weight, tracks, ...entry }: Entry): Absent => ({
  balancer: entry.balancer,
  backend: entry.backend,
  server: entry.server,
  status,
  weight,
  outBecause: entry.outBecause,
  tracks,
});

/** A server that somebody set to 0 is one that is out, and counts with what the configuration gives it. */
function weightOf(servers: Entry[]): Backend["weight"] {
  const own = servers.map(({ weight, initialWeight }) => weight || initialWeight);
  if (new Set(own.filter((weight) => weight > 0)).size < 2) return undefined;
  const sum = (weights: number[]): number => weights.reduce((total, weight) => total + weight, 0);
  return { whole: sum(own), serving: sum(own.filter((_, i) => !servers[i]?.outBecause)) };
}

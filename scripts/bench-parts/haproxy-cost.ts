/** What HAProxy's worker has cost so far, by /proc (proc(5)) and by its own count. */
import { readFileSync } from "node:fs";
import type { LabBalancer } from "../../test/lab/balancer.ts";

export interface Spent {
  at: number;
  /** Seconds of user and system time. */
  cpu: number;
  /** Bytes that it sent: answers to its sockets, requests, answers to clients, checks. */
  sent: number;
}

/** Ticks a second of /proc: USER_HZ, which is 100 on every Linux that Node runs on. */
const hz = 100;

export async function spentBy(balancer: LabBalancer): Promise<Spent> {
  const info = await balancer.ask("show info");
  const [, pid = ""] = /^Pid: (\d+)$/m.exec(info) ?? [];
  const [, sent = ""] = /^TotalBytesOut: (\d+)$/m.exec(info) ?? [];
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The fields after the name, which may itself hold blanks; user time is the 14th of all, system time the 15th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const cpu = (Number(fields[11]) + Number(fields[12])) / hz;
  return { at: performance.now(), cpu, sent: Number(sent) };
}

export interface Growth {
  cpu: number;
  sent: number;
  /** Milliseconds. */
  took: number;
}

export const since = (before: Spent, now: Spent): Growth => ({
  cpu: now.cpu - before.cpu,
  sent: now.sent - before.sent,
  took: now.at - before.at,
});

/** What is left of a growth when it is known what would have been spent in that time anyway. */
export function beyond(idle: Growth, all: Growth): Growth {
  const share = all.took / idle.took;
  return { took: all.took, cpu: all.cpu - idle.cpu * share, sent: all.sent - idle.sent * share };
}

import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** A process of some machine. A pid alone may be used again: the time it started goes with it. */
export interface ProcessId {
  host: string;
  pid: number;
  /** In the machine's own ticks (proc(5), field 22 of /proc/PID/stat); empty where there is no /proc. */
  started: string;
}

export const thisProcess = (): ProcessId => ({
  host: hostname(),
  pid: process.pid,
  started: startOf(process.pid) ?? "",
});

/** True only for a process of this machine that certainly does not run any more. */
export function isGone({ host, pid, started }: ProcessId): boolean {
  if (host !== hostname() || started === "") return false;
  return startOf(pid) !== started;
}

function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field, the name, may itself hold blanks and brackets.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

import { sayDuration } from "../base/duration.ts";
import type { Holder } from "../journal/lease.ts";

/** "ann@here (pid 123 on laptop), rota deploy, for 3m20s: new logo" */
export function sayHolder({ by, pid, host, command, since, reason }: Holder, now?: Date): string {
  const age = now === undefined ? "" : `, for ${sayDuration(now.getTime() - since.getTime())}`;
  return `${by} (pid ${pid} on ${host}), rota ${command}${age}${reason === undefined ? "" : `: ${reason}`}`;
}

import { notYet, type Seen, yes } from "../base/poll.ts";
import type { RestartProof, Script } from "../rotation/restart-way.ts";

/** Prints the pid file's process and its start time (proc(5), field 22), or nothing if there is none: a pid alone may be used again. */
export const whoRuns = (pidfile: string): Script => ({
  run: `pid=$(cat "$ROTA_PIDFILE" 2>/dev/null) || exit 0
stat=$(cat "/proc/$pid/stat" 2>/dev/null) || exit 0
set -- \${stat##*) }
printf '%s %s\\n' "$pid" "\${20}"`,
  variables: { ROTA_PIDFILE: pidfile },
});

/** Only another process is the proof. */
export const pidfileProof = (pidfile: string): RestartProof => ({
  what: `a new process in ${pidfile}`,
  look: whoRuns(pidfile),
  pid: firstWord,
  unfit: () => undefined,
  judge: anotherProcess,
});

export const firstWord = (now: string): string | undefined => now.split(" ")[0];

export function anotherProcess(before: string | undefined, now: string | undefined): Seen<undefined> {
  if (now === undefined) return notYet("no process runs");
  return now === before ? notYet(`still the old one, ${now.split(" ")[0]}`) : yes(undefined);
}

import { RotaError } from "../base/errors.ts";
import { notYet, poll, yes } from "../base/poll.ts";
import type { Hosts } from "./ports.ts";
import type { Trip, World } from "./world.ts";

/** Prints the pid file's process and its start time (proc(5), field 22), or nothing if there is none. */
const script = `pid=$(cat "$ROTA_PIDFILE" 2>/dev/null) || exit 0
stat=$(cat "/proc/$pid/stat" 2>/dev/null) || exit 0
set -- \${stat##*) }
printf '%s %s\\n' "$pid" "\${20}"`;

/** Which process runs, as "pid start-time"; undefined for none. A pid alone may be used again. */
export async function currentProcess(
  trip: Trip,
  hosts: Hosts,
  signal: AbortSignal,
): Promise<string | undefined> {
  let seen: string | undefined;
  const outcome = await hosts.run(trip.node, script, {
    variables: { ROTA_PIDFILE: trip.pool.restart.pidfile ?? "" },
    within: trip.pool.limits.command,
    signal,
    onOutput: ({ text }) => (seen = text),
  });
  if (outcome.kind !== "done") {
    throw new RotaError(signal.aborted ? "INTERRUPTED" : "RESTART_UNPROVEN", {
      problem: `the pid file ${trip.pool.restart.pidfile} could not be read: ${outcome.why}`,
    });
  }
  return seen;
}

/** A restart that exits 0 may have done nothing: only another process is the proof. */
export async function untilNewProcess(trip: Trip, { hosts, clock, now }: World): Promise<void> {
  const pidfile = trip.pool.restart.pidfile;
  await poll({
    what: `a new process in ${pidfile} on ${trip.node.name}`,
    every: 50,
    within: trip.pool.check.within,
    clock,
    signal: now,
    probe: async () => {
      const process = await currentProcess(trip, hosts, now);
      if (process === undefined) return notYet("no process runs");
      return process === trip.process
        ? notYet(`still the old one, ${process.split(" ")[0]}`)
        : yes(undefined);
    },
  }).catch((thrown: unknown) => {
    if (!(thrown instanceof RotaError && thrown.code === "WAIT_LIMIT")) throw thrown;
    throw new RotaError("RESTART_UNPROVEN", { problem: thrown.message, cause: thrown });
  });
}

import { spawn } from "node:child_process";
import { systemClock } from "../base/clock.ts";
import { sayDuration } from "../base/duration.ts";
import { messageOf } from "../base/errors.ts";
import type { CommandOptions, Here, Outcome } from "../rotation/ports.ts";
import { splitLines } from "./lines.ts";

/** Milliseconds that a command has to end by itself once it is told to. */
const patience = 2_000;
/** Milliseconds; Node takes a longer delay for none at all. */
const longestTimer = 2 ** 31 - 1;
/** Milliseconds that the last output is waited for after the exit: a daemon may hold stdout for ever. */
const lastOutput = 200;

/**
 * Commands on this machine, as `/bin/sh -eu`, in a process group of their own: a Ctrl-C at the terminal is rota's to
 * answer, and what a command leaves running at its limit is ended with it. Values reach it as environment only.
 */
export const thisMachineIn = (cwd: string, env: Record<string, string | undefined>): Here => ({
  async run(script, { variables, within, signal, onOutput, mayStart }) {
    await mayStart?.();
    if (signal.aborted) return { kind: "failed", why: "the command was not started: stopped before" };
    return await new Promise((resolve) => {
      start(script, { cwd, env: { ...env, ...variables } }, { within, signal, onOutput }, resolve);
    });
  },
});

function start(
  script: string,
  options: { cwd: string; env: Record<string, string | undefined> },
  { within, signal, onOutput }: Pick<CommandOptions, "within" | "signal" | "onOutput">,
  ended: (outcome: Outcome) => void,
): void {
  const child = spawn("/bin/sh", ["-euc", script], {
    ...options,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines = (["stdout", "stderr"] as const).map((stream) => {
    const split = splitLines((text) => onOutput({ stream, text }));
    child[stream].on("data", split.push);
    return split;
  });
  const over = new AbortController();
  let stopped: string | undefined;
  let settled = false;
  const end = (outcome: Outcome): void => {
    if (settled) return;
    settled = true;
    over.abort();
    for (const line of lines) line.end();
    child.stdout.destroy();
    child.stderr.destroy();
    ended(outcome);
  };
  const atLimit = (): void => {
    if (settled) return;
    stopped = signal.aborted ? "stopped" : `still running after ${sayDuration(within)}, and ended`;
    endGroup(child.pid, "SIGTERM");
    const last = setTimeout(() => endGroup(child.pid, "SIGKILL"), patience);
    child.once("close", () => clearTimeout(last));
  };
  void systemClock
    .sleep(Math.min(within, longestTimer), AbortSignal.any([signal, over.signal]))
    .finally(atLimit);
  child.once("error", (error) => end({ kind: "failed", why: `not started: ${messageOf(error)}` }));
  child.once("exit", (code, by) => {
    if (stopped !== undefined) endGroup(child.pid, "SIGKILL"); // whatever it started, too
    const why = stopped ?? (code === null ? `killed by ${by}` : `exit code ${code}`);
    const outcome: Outcome = code === 0 && stopped === undefined ? { kind: "done" } : { kind: "failed", why };
    const last = setTimeout(() => end(outcome), lastOutput);
    child.once("close", () => {
      clearTimeout(last);
      end(outcome);
    });
  });
}

/** The child leads its group: its own id is the group's. One that is gone needs no end. */
function endGroup(pid: number | undefined, signal: "SIGTERM" | "SIGKILL"): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (thrown) {
    // EPERM: all that is left of it runs as somebody else, as under sudo.
    if (!(thrown instanceof Error && "code" in thrown && /^(ESRCH|EPERM)$/.test(String(thrown.code))))
      throw thrown;
  }
}

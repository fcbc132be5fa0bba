/** The program itself, in a process of its own, that ends by SIGKILL where a test wants it. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import type { Event } from "../../src/events/events.ts";

const checkout = join(import.meta.dirname, "../..");
const program = join(checkout, "scripts/rota"); // which becomes the program itself, in the same process

/** Builds the program where it must. */
export async function buildProgram(): Promise<void> {
  await promisify(execFile)(program, ["--version"]);
}

/** When the program is killed: as soon as it says an event with these fields, or so many milliseconds later. */
export type Moment = Pick<Event, "type"> & { node?: string; step?: string; later?: number };

/**
 * Runs in the program's own process. What a process writes to a pipe is there when `write` returns, so that nothing
 * comes between the event and the end.
 */
const killer = `
  const { write } = process.stdout;
  const { later, ...moment } = JSON.parse(process.env.KILL_AT);
  const kill = () => process.kill(process.pid, "SIGKILL");
  process.stdout.write = function (text, ...rest) {
    const done = write.call(this, text, ...rest);
    if (!String(text).startsWith("{")) return done;
    const event = JSON.parse(text);
    if (!Object.entries(moment).every(([key, value]) => event[key] === value)) return done;
    if (later) setTimeout(kill, later);
    else kill();
    return done;
  };
`;

/** The environment of a program that is to be killed; it must be run with --json. */
const killAt = (moment: Moment): Record<string, string> => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(killer)}`,
  KILL_AT: JSON.stringify(moment),
});

interface Surroundings {
  env: Record<string, string | undefined>;
  cwd?: string;
}

export interface Ended {
  code: unknown;
  signal: unknown;
  stdout: string;
  stderr: string;
}

export async function runProgram(words: string[], { env, cwd = checkout }: Surroundings): Promise<Ended> {
  const child = spawn(program, words, {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = once(child, "close");
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code, signal]: unknown[] = await closed;
  return { code, signal, stdout, stderr };
}

/** Runs a changing command until its end by SIGKILL. Returns the id of its run. */
export async function runUntilKilled(
  moment: Moment,
  words: string[],
  { env, cwd }: Surroundings,
): Promise<string> {
  const { signal, stdout, stderr } = await runProgram([...words, "--json"], {
    env: { ...env, ...killAt(moment) },
    ...(cwd === undefined ? {} : { cwd }),
  });
  const [, run] = /"run":"(\w+)"/.exec(stdout) ?? [];
  if (signal !== "SIGKILL" || run === undefined) throw new Error(`it was not killed: ${stdout}${stderr}`);
  return run;
}

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Event } from "../../src/events/events.ts";
import { markOf } from "./family.ts";
import type { Lab } from "./lab.ts";

/** The program as a person runs it, on a journal of the lab's own. */
export interface Rota {
  child: ChildProcess;
  /** What has been said so far. */
  stdout(): string;
  stderr(): string;
  ended: Promise<Ended>;
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  /** With --json. */
  events: Event[];
  /** From its start to its end. */
  ms: number;
}

const program = join(import.meta.dirname, "../../scripts/rota");

export function startRota(lab: Lab, words: string[], env: Record<string, string> = {}): Rota {
  const child = spawn(program, words, {
    cwd: lab.folder,
    // As on a CI runner, where some libraries think that every pipe can be coloured.
    env: { ...envOf(lab), CI: "true", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const began = performance.now();
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
  const ended = once(child, "close").then(([code]): Ended => {
    const events = words.includes("--json") ? eventsIn(said.stdout) : [];
    return { code: typeof code === "number" ? code : null, ...said, events, ms: performance.now() - began };
  });
  return { child, stdout: () => said.stdout, stderr: () => said.stderr, ended };
}

export const runRota = (lab: Lab, words: string[], env?: Record<string, string>): Promise<Ended> =>
  startRota(lab, words, env).ended;

export const journalOf = (lab: Lab): string => `sqlite:${join(lab.folder, "journal.db")}`;

/** The lab's own journal; and the lab's mark, so that whatever ends the lab ends rota too. */
export const envOf = (lab: Lab): NodeJS.ProcessEnv => ({
  ...process.env,
  ...markOf(lab.folder),
  ROTA_JOURNAL: journalOf(lab),
});

const eventsIn = (text: string): Event[] =>
  text
    .split("\n")
    .filter(Boolean)
    .map((line): Event => JSON.parse(line));

/** Commands that were begun from the page: processes of their own, that go on whatever becomes of it or of the console. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as z from "zod";
import { RotaError } from "../base/errors.ts";

export interface Begun {
  id: string;
  by: string;
  /** "drain web3" */
  what: string;
  at: string;
  /** Once it says so. */
  run?: string;
  /** Once it has ended. */
  code?: number;
  problem?: string;
  left?: string;
  next?: string;
}

/** Disposal lets go of what runs: it goes on. */
export interface Starter extends Disposable {
  /** @param words of `rota` @throws RotaError REFUSED for too many at once */
  start(words: string[], about: { by: string; what: string }): Begun;
  /** The newest first. */
  begun: () => Begun[];
}

/** Kept in memory; the journal has all that they did. */
const most = 50;
/** Each is a process; more than a person means to have. */
const mostAtOnce = 10;

/** What is of interest in a line of --json. */
const said = z.looseObject({
  type: z.string().optional(),
  run: z.string().optional(),
  problem: z.string().optional(),
  left: z.string().optional(),
  next: z.string().optional(),
  error: z
    .looseObject({ problem: z.string().optional(), left: z.string().optional(), next: z.string().optional() })
    .optional(),
});

/** @param program how rota is run: "node", then the path of rota */
export function starter(
  [program, ...first]: [string, ...string[]],
  { env, cwd }: { env: Record<string, string | undefined>; cwd: string },
  onChange: () => void,
): Starter {
  const all: Begun[] = [];
  const children = new Set<ChildProcess>();
  return {
    [Symbol.dispose]() {
      for (const child of children) {
        child.stdout?.destroy(); // rota goes on without a reader
        child.unref();
      }
    },
    begun: () => all,
    start(words, { by, what }) {
      if (children.size >= mostAtOnce)
        throw new RotaError("REFUSED", {
          problem: `${mostAtOnce} commands that were begun here still run`,
          left: "nothing was touched",
        });
      const one: Begun = { id: randomBytes(6).toString("hex"), by, what, at: new Date().toISOString() };
      all.unshift(one);
      all.splice(most);
      const child = spawn(program, [...first, ...words], {
        cwd,
        env: { ...env, ROTA_BY: by },
        detached: true,
        stdio: ["ignore", "pipe", "ignore"],
      });
      children.add(child);
      let rest = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        const lines = (rest + text).split("\n");
        rest = (lines.pop() ?? "").slice(-1_000_000);
        const before = one.run;
        for (const line of lines) hear(one, line);
        if (one.run !== before) onChange();
      });
      child.once("error", ({ message }) => {
        Object.assign(one, { code: 70, problem: `it could not be started: ${message}` });
        onChange();
      });
      child.once("close", (code) => {
        children.delete(child);
        one.code ??= code ?? 70;
        onChange();
      });
      onChange();
      return one;
    },
  };
}

function hear(one: Begun, line: string): void {
  const read = said.safeParse(parsed(line));
  if (!read.success) return;
  const { type, run, error, problem, left, next } = read.data;
  if (run !== undefined) one.run = run;
  if (error) Object.assign(one, definedOf(error));
  else if (type === "run ended") Object.assign(one, definedOf({ problem, left, next }));
}

const definedOf = ({ problem, left, next }: { problem?: unknown; left?: unknown; next?: unknown }): object =>
  Object.fromEntries(
    Object.entries({ problem, left, next }).filter(([, value]) => typeof value === "string"),
  );

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // of a newer rota, or cut
  }
}

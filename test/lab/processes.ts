import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, readdirSync } from "node:fs";
import { notYet, yes } from "../../src/base/poll.ts";
import { waitFor } from "./wait.ts";

/** The processes of one lab: those that it started, their children, and the daemons that these left behind. */
export interface Processes {
  /** What a program of the lab must have in its environment to be found again. */
  mark: { ROTA_LAB: string };
  /** Starts a program that stays, its output going to the file. */
  start(program: string, args: string[], log: string, as?: { uid: number; gid: number }): Promise<number>;
  /** Ids of all that run now. */
  pids(): number[];
  /** Ends all: SIGTERM, and SIGKILL for those that do not heed it. Resolves when none is left. */
  end(): Promise<void>;
}

/** How long a process may take to end by itself, in milliseconds. */
const patience = 2_000;

export function processesIn(folder: string): Processes {
  const started = new Set<number>();
  const mark = { ROTA_LAB: folder };
  const pids = (): number[] => familyOf(started, `ROTA_LAB=${folder}`);
  return {
    mark,
    pids,
    async start(program, args, log, as) {
      const output = openSync(log, "a");
      // A group of its own: Ctrl-C in a terminal is for the program that uses the lab, which then ends it.
      const child = spawn(program, args, {
        cwd: folder,
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...mark },
        stdio: ["ignore", output, output],
        detached: true,
        ...as,
      });
      closeSync(output);
      await once(child, "spawn");
      const { pid } = child;
      if (pid === undefined) throw new Error(`${program} was not started`);
      started.add(pid);
      child.once("exit", () => started.delete(pid)).unref();
      return pid;
    },
    async end() {
      const asked = new Map<number, number>();
      await waitFor("the lab's processes to end", 10_000, async () => {
        const left = pids();
        for (const pid of left) urge(pid, asked);
        return left.length === 0 ? yes(undefined) : notYet(`still running: ${left.join(", ")}`);
      });
    },
  };
}

/** Whether the process runs; a zombie does not. */
export const runs = (pid: number): boolean => look(pid) !== undefined;

export const childrenOf = (parent: number): number[] =>
  all()
    .filter((process) => process.parent === parent)
    .map(({ pid }) => pid);

/** Signals a process that may have ended in the meantime. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Asks once, and insists when that was long ago. */
function urge(pid: number, asked: Map<number, number>): void {
  const now = performance.now();
  const since = asked.get(pid) ?? now;
  if (!asked.has(pid)) {
    asked.set(pid, now);
    signal(pid, "SIGTERM");
    signal(pid, "SIGCONT"); // a frozen one would not hear it
  } else if (now - since > patience) signal(pid, "SIGKILL");
}

interface Running {
  pid: number;
  parent: number;
}

/** Those in `roots`, those with the mark, and all descendants of both. */
function familyOf(roots: Set<number>, mark: string): number[] {
  const running = all();
  const family = new Set(running.map(({ pid }) => pid).filter((pid) => roots.has(pid) || carries(pid, mark)));
  for (let before = -1; before !== family.size;) {
    before = family.size;
    for (const { pid, parent } of running) if (family.has(parent)) family.add(pid);
  }
  return [...family];
}

const all = (): Running[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => look(Number(name)) ?? []);

function look(pid: number): Running | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  // The second field, the name, may itself hold blanks and brackets.
  const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return !state || "ZX".includes(state) ? undefined : { pid, parent: Number(parent) };
}

const carries = (pid: number, mark: string): boolean =>
  readIfThere(`/proc/${pid}/environ`).split("\0").includes(mark);

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it has ended, or is somebody else's
  }
}

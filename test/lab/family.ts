/** The processes of one lab: those that it started, those that carry its mark, and all descendants of both. */
import { readFileSync, readdirSync } from "node:fs";
import { notYet, yes } from "../../src/base/poll.ts";
import { waitFor } from "./wait.ts";

/** What a program must have in its environment to be known as one of the lab in this folder. */
export const markOf = (folder: string): { ROTA_LAB: string } => ({ ROTA_LAB: folder });

export function familyOf(folder: string, roots: Iterable<number>): number[] {
  const [running, mark, rooted] = [all(), `ROTA_LAB=${folder}`, new Set(roots)];
  const family = new Set(
    running.map(({ pid }) => pid).filter((pid) => rooted.has(pid) || carries(pid, mark)),
  );
  for (let before = -1; before !== family.size;) {
    before = family.size;
    for (const { pid, parent } of running) if (family.has(parent)) family.add(pid);
  }
  return [...family];
}

/** How long a process may take to end by itself, in milliseconds. */
const patience = 2_000;

/** Ends all: SIGTERM, and SIGKILL for those that do not heed it. Resolves when none is left. */
export async function endFamily(folder: string, roots: () => Iterable<number>): Promise<void> {
  const asked = new Map<number, number>();
  await waitFor("the lab's processes to end", 10_000, async () => {
    // Whoever was asked stays one of them, also when it lost its parent, and wrote over its environment as sshd does.
    const left = familyOf(folder, [...roots(), ...asked.keys()]);
    for (const pid of left) urge(pid, asked);
    return left.length === 0 ? yes(undefined) : notYet(`still running: ${left.join(", ")}`);
  });
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

interface Running {
  pid: number;
  parent: number;
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

/** What a program and all that it starts cost: CPU time, and memory at the worst moment. From /proc (proc(5)). */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";

export interface Cost {
  code: number | null;
  /** Milliseconds. */
  took: number;
  /** Seconds of user and system time, of it and all its descendants that have ended. */
  cpu: number;
  /** Bytes: proportional set sizes of the whole tree, added up; sampled. */
  memory: number;
  output: string;
}

/** Milliseconds between two samples of memory. */
const every = 200;

/** The shell's `times` tells the CPU time of what has ended; it is told of the whole tree, as each is waited for. */
const timed = '"$@"; code=$?; times >&3; exit $code';

export async function measured(
  program: string,
  words: string[],
  options: { cwd: string; env: Record<string, string | undefined> },
): Promise<Cost> {
  const began = performance.now();
  const child = spawn("/bin/bash", ["-c", timed, "bash", program, ...words], {
    ...options,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  let [output, times, memory] = ["", "", 0];
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stdio[3]?.on("data", (chunk: Buffer) => (times += chunk.toString()));
  const sampling = setInterval(() => {
    memory = Math.max(memory, child.pid === undefined ? 0 : memoryOf(treeOf(child.pid).slice(1)));
  }, every);
  const [code]: (number | null)[] = await once(child, "close");
  clearInterval(sampling);
  return { code: code ?? null, took: performance.now() - began, cpu: childTimes(times), memory, output };
}

/** The second line of `times`: "0m1.234s 0m0.456s", of the children. */
function childTimes(text: string): number {
  const [, children = ""] = text.trim().split("\n");
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + 60 * Number(minutes) + Number(seconds),
    0,
  );
}

/** Without a look at every process of the machine: what is measured must not wait for whoever measures. */
function treeOf(root: number): number[] {
  const all = [root];
  for (const one of all)
    all.push(...read(`/proc/${one}/task/${one}/children`).split(" ").filter(Boolean).map(Number));
  return all;
}

const memoryOf = (pids: number[]): number =>
  pids.reduce((sum, pid) => {
    const [, kilobytes = "0"] = /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`)) ?? [];
    return sum + Number(kilobytes) * 1024;
  }, 0);

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it has ended
  }
}

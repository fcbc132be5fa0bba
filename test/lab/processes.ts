import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Socket } from "node:net";
import { runBeside } from "./beside.ts";
import { endFamily, familyOf, markOf } from "./family.ts";

/** The processes of one lab: those that it started, their children, and the daemons that these left behind. */
export interface Processes {
  /** What a program of the lab must have in its environment to be found again. */
  mark: { ROTA_LAB: string };
  /** Starts a program that stays, its output going to the file. */
  start(program: string, args: string[], log: string, as?: { uid: number; gid: number }): Promise<number>;
  /** Ids of all that run now. */
  pids(): number[];
  /** Ends all and removes the folder. Resolves when nothing is left; without it, that happens when this process ends. */
  end(): Promise<void>;
}

export function processesIn(folder: string): Processes {
  const started = new Set<number>();
  const mark = markOf(folder);
  const orphans = endsOrphansOf(folder);
  const tell = (): void => orphans.know([...started]);
  return {
    mark,
    pids: () => familyOf(folder, started),
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
      tell();
      child
        .once("exit", () => {
          started.delete(pid);
          tell();
        })
        .unref();
      return pid;
    },
    async end() {
      await endFamily(folder, () => started);
      await rm(folder, { recursive: true, force: true });
      await orphans.end();
    },
  };
}

/** Starts what ends the lab if this process can't; see there. */
function endsOrphansOf(folder: string) {
  const child = runBeside("orphans.ts", folder, ["pipe", "ignore", "inherit"]);
  const gone = once(child, "exit");
  const { stdin } = child;
  stdin?.on("error", () => {}); // it may be ending
  if (stdin instanceof Socket) stdin.unref();
  child.unref();
  return {
    know: (pids: number[]): void => void stdin?.write(`${pids.join(" ")}\n`),
    async end(): Promise<void> {
      child.ref();
      child.kill();
      await gone;
    },
  };
}

import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

/** Runs a file of this folder beside the tests, in a process and a group of its own: Ctrl-C in a terminal is not for it. */
export const runBeside = (file: string, argument: string, stdio: StdioOptions): ChildProcess =>
  spawn(process.execPath, ["--import", tsx, join(import.meta.dirname, file), argument], {
    detached: true,
    stdio,
  });

import { execFileSync } from "node:child_process";
import { readdirSync, readlinkSync, statSync } from "node:fs";
import { copyFile, mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { notYet, yes } from "../../src/base/poll.ts";
import { freePorts, loopbackPrefix } from "./addresses.ts";
import { childrenOf } from "./family.ts";
import { processesIn } from "./processes.ts";
import { python, releasesIn, type Rolled, rollOf } from "./rolls.ts";
import { waitFor } from "./wait.ts";

const root = join(import.meta.dirname, "../..");
const sources = join(root, "src/restart/gunicorn");

export type Version = "20.1" | "23.0";
export type WorkerClass = "sync" | "gthread" | "gevent" | "tornado";

export interface RolledOptions {
  version?: Version;
  workerClass?: WorkerClass;
  workers?: number;
  bootSeconds?: number;
  /** More words for gunicorn; instead of --config with the hook as it is shipped, where they hold one. */
  words?: string[];
  env?: Record<string, string>;
  /** Its working folder, from which the app is loaded: the link, given as such, or the folder behind it, as systemd does. */
  follows?: "link" | "folder";
}

let newer: string | undefined;

const libraryOf = (version: Version): string[] =>
  version === "20.1"
    ? []
    : [
        `PYTHONPATH=${(newer ??= execFileSync(join(root, "scripts/gunicorns"), { encoding: "utf8" }).trim())}`,
      ];

export async function startRolled(options: RolledOptions = {}): Promise<Rolled> {
  const {
    version = "20.1",
    workerClass = "sync",
    workers = 4,
    bootSeconds = 0.2,
    follows = "link",
  } = options;
  const folder = await mkdtemp(join(tmpdir(), "lab-"));
  const processes = processesIn(folder);
  const releases = await releasesIn(folder);
  for (const file of ["gunicorn_rota.py", "roll.py"]) await copyFile(join(sources, file), join(folder, file));

  const host = `${loopbackPrefix()}.1`;
  const [port = 0] = await freePorts(1, [host]);
  const env = { BOOT_SECONDS: `${bootSeconds}`, PYTHONDONTWRITEBYTECODE: "1", ...options.env };
  const settings = [...libraryOf(version), ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
  const gunicorn = [
    ["--bind", `${host}:${port}`, "--workers", `${workers}`, "--worker-class", workerClass],
    ["--graceful-timeout", "10", "--chdir", follows === "link" ? releases.link : releases.release("1")],
    options.words?.includes("--config") ? [] : ["--config", join(folder, "gunicorn_rota.py")],
    options.words ?? [],
  ].flat();
  const log = join(folder, "log");
  const pid = await processes.start(
    "/usr/bin/env",
    [...settings, python, "-m", "gunicorn", ...gunicorn, "rolled:application"],
    log,
  );
  const rolled: Rolled = {
    folder,
    url: `http://${host}:${port}`,
    pid,
    ...releases,
    ...rollOf(folder, [`${pid}`]),
    workers: () => childrenOf(pid),
    accepting: async () => childrenOf(pid).filter(beats),
    log: () => readFile(log, "utf8"),
    untilReady: (count) =>
      waitFor(`${count} workers of gunicorn to be ready`, 30_000, async () => {
        const ready = childrenOf(pid).filter(beats).length;
        return ready === count ? yes(undefined) : notYet(`${ready} are; see ${log}`);
      }),
    [Symbol.asyncDispose]: () => processes.end(),
  };
  try {
    await rolled.untilReady(workers);
    return rolled;
  } catch (thrown) {
    console.error(await rolled.log());
    await processes.end();
    throw thrown;
  }
}

/** Whether gunicorn's worker is in its loop: by the file with which it tells its master that it lives. Needs no hook. */
function beats(pid: number): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    const path = readdirSync(folder)
      .map((name) => join(folder, name))
      .find((one) => linkOf(one).includes("/wgunicorn-"));
    const { mode, mtimeMs } = statSync(path ?? "");
    // Below 22 it changes its mode, from 0600; since then its time, to that of a clock which starts with the machine.
    return (mode & 0o777) <= 1 || mtimeMs < Date.now() / 2;
  } catch {
    return false; // it has ended
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // closed just now
  }
}

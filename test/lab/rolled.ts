import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync, statSync } from "node:fs";
import {
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { notYet, yes } from "../../src/base/poll.ts";
import { freePorts, loopbackPrefix } from "./addresses.ts";
import { childrenOf } from "./family.ts";
import { processesIn } from "./processes.ts";
import { waitFor } from "./wait.ts";

const root = join(import.meta.dirname, "../..");
const sources = join(root, "src/restart/gunicorn");
/** Debian's, which has its gunicorn, gevent and tornado. */
const python = "/usr/bin/python3";

export type Version = "20.1" | "23.0";
export type WorkerClass = "sync" | "gthread" | "gevent" | "tornado";
export type Fault =
  | "import"
  | "exit"
  | "killed"
  | "hang"
  | "status-500"
  | "status-raises"
  | "status-hangs"
  | `third-${"import" | "status-500"}`;

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

/** A gunicorn that runs alone, with releases and a link to the one that new workers shall load. */
export interface Rolled extends AsyncDisposable {
  folder: string;
  url: string;
  /** Of the master. */
  pid: number;
  link: string;
  /** Of the release, links followed. */
  release(name: string): string;
  /** Makes the link lead to it, and the release where there is none; resolves with the words for going back. */
  switchTo(name: string, fault?: Fault): Promise<string[]>;
  roll(...words: string[]): RollRun;
  /** What the workers say that they run, in their order. */
  runs(): Promise<string[]>;
  /** Pids of the workers. */
  workers(): number[];
  untilReady(count: number): Promise<void>;
  log(): Promise<string>;
}

export interface RollEvent {
  event: string;
  seconds: number;
  text: string;
  pid?: number;
  state?: string;
  release?: string;
  reason?: string;
  error?: string;
  exit?: number;
  /** Seconds since the start of the worker. */
  since?: number;
  new?: boolean;
}

export interface RollRun {
  child: ChildProcess;
  /** So far. */
  events: RollEvent[];
  ended: Promise<{ code: number | null; events: RollEvent[]; text: string; seconds: number }>;
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
  const link = join(folder, "current");
  const release = (name: string): string => join(folder, "releases", name);
  await makeRelease(release("1"));
  await symlink(release("1"), link);
  for (const file of ["gunicorn_rota.py", "roll.py"]) await copyFile(join(sources, file), join(folder, file));

  const host = `${loopbackPrefix()}.1`;
  const [port = 0] = await freePorts(1, [host]);
  const env = { BOOT_SECONDS: `${bootSeconds}`, PYTHONDONTWRITEBYTECODE: "1", ...options.env };
  const settings = [...libraryOf(version), ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
  const gunicorn = [
    ["--bind", `${host}:${port}`, "--workers", `${workers}`, "--worker-class", workerClass],
    ["--graceful-timeout", "10", "--chdir", follows === "link" ? link : release("1")],
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
    link,
    release,
    workers: () => childrenOf(pid),
    log: () => readFile(log, "utf8"),
    roll: (...words) => startRoll(folder, [`${pid}`, "--json", ...words]),
    async switchTo(name, fault) {
      const before = await readlink(link);
      await makeRelease(release(name), fault);
      await symlink(release(name), `${link}.new`);
      await rename(`${link}.new`, link);
      return ["--rollback-link", `${link}=${before}`];
    },
    async runs() {
      const { events } = await startRoll(folder, [`${pid}`, "--json", "--status"]).ended;
      return events.map((one) =>
        one.state === "ready" ? (one.release?.split("/").at(-1) ?? "unknown") : "not ready",
      );
    },
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

async function makeRelease(folder: string, fault?: Fault): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await copyFile(join(import.meta.dirname, "app/rolled.py"), join(folder, "rolled.py"));
  await writeFile(join(folder, "RELEASE"), folder.split("/").at(-1) ?? "");
  if (fault) await writeFile(join(folder, "FAULT"), fault);
}

function startRoll(folder: string, words: string[]): RollRun {
  const child = spawn(python, [join(folder, "roll.py"), ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const began = performance.now();
  const events: RollEvent[] = [];
  let [rest, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    events.push(...lines.map((line): RollEvent => JSON.parse(line)));
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const ended = once(child, "close").then(([code]: (number | null)[]) => ({
    code: code ?? null,
    events,
    text: [...events.map(({ text, error }) => (error ? `${text}\n${error}` : text)), errors].join("\n"),
    seconds: (performance.now() - began) / 1000,
  }));
  return { child, events, ended };
}

/** Whether gunicorn's worker is in its loop: by the file with which it tells its master that it lives. Needs no hook. */
export function beats(pid: number): boolean {
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

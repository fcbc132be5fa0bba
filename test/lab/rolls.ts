/** An app server whose workers are replaced: its releases, and the roll.py that does it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Debian's, which has its gunicorn, gevent and tornado. */
export const python = "/usr/bin/python3";

export type Fault =
  | "import"
  | "exit"
  | "killed"
  | "hang"
  | "status-500"
  | "status-raises"
  | "status-hangs"
  | `third-${"import" | "status-500"}`;

/** An app server that runs alone, with releases and a link to the one that new workers shall load. */
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
  /** Those of them that take requests. Seen, not told by the hook. */
  accepting(): Promise<number[]>;
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

/** Makes the first release, and the link to it. */
export async function releasesIn(folder: string): Promise<Pick<Rolled, "link" | "release" | "switchTo">> {
  const link = join(folder, "current");
  const release = (name: string): string => join(folder, "releases", name);
  await makeRelease(release("1"));
  await symlink(release("1"), link);
  return {
    link,
    release,
    async switchTo(name, fault) {
      const before = await readlink(link);
      await makeRelease(release(name), fault);
      await symlink(release(name), `${link}.new`);
      await rename(`${link}.new`, link);
      return ["--rollback-link", `${link}=${before}`];
    },
  };
}

/** @param words For roll.py, which is in the folder: whose workers. */
export const rollOf = (folder: string, words: string[]): Pick<Rolled, "roll" | "runs"> => ({
  roll: (...more) => startRoll(folder, [...words, "--json", ...more]),
  async runs() {
    const { events } = await startRoll(folder, [...words, "--json", "--status"]).ended;
    return events.map((one) =>
      one.state === "ready" ? (one.release?.split("/").at(-1) ?? "unknown") : "not ready",
    );
  },
});

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

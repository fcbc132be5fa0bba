/** What a situation of the runbook is, and the sites that situations are made on. */
import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { dirname, join } from "node:path";
import type { ErrorCode } from "../../src/base/errors.ts";
import { thisProcess } from "../../src/journal/process.ts";
import { portOf } from "../fakes/app.ts";
import { makeRelease } from "../fakes/release.ts";
import { type FakeSite, type Overrides, fakeSite } from "../fakes/site.ts";

export interface Scene {
  code: ErrorCode;
  /** Which of several with this code. */
  what?: string;
  site: () => Promise<FakeSite>;
  /** What goes wrong. */
  begin?: (site: FakeSite) => unknown;
  /** What is typed then; a deploy of release 2 unless said. */
  words?: string[] | ((site: FakeSite) => Promise<string[]>);
  /** What the entry says that must be mended first. */
  mend?: (site: FakeSite) => unknown;
  /** The exit code of what is typed next; 0 unless said. A command of another program that fails as it should: "fails". */
  ends?: number | "fails";
  /** The command itself once more comes after it, and ends with 0. */
  again?: true | "after ssh";
  /** Of web1, web2, … afterwards; all "ready" unless said. */
  states?: unknown[];
  /** It gives signals, which every run of this process hears. */
  alone?: true;
}

export const deploy = ["deploy", "--set", "RELEASE=2"];

export const inFolder = (site: FakeSite, node: string, name: string): string =>
  join(site.host(node).folder, name);
export const make = (node: string, name: string) => (site: FakeSite) =>
  writeFile(inFolder(site, node, name), "");
export const remove = (node: string, name: string) => (site: FakeSite) => rm(inFolder(site, node, name));

/** Changes the inventory as text. */
export const rewritten =
  (from: string | RegExp, to: string) =>
  async (site: FakeSite): Promise<void> =>
    writeFile(site.inventory, (await readFile(site.inventory, "utf8")).replace(from, to));

export const journalFile = (site: FakeSite): string => site.env["ROTA_JOURNAL"]?.replace("sqlite:", "") ?? "";

export const unless = (name: string): string =>
  `[ ! -e ${name} ] || { echo "no such table: orders" >&2; exit 3; }`;

export const within3s = { check: { within: "3s" } };

/** Ids, the newest first. */
export async function runsOf(site: FakeSite): Promise<string[]> {
  await using journal = await site.journal();
  return (await journal.runs("fake", 9)).map(({ run }) => run);
}

export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  await once(server, "close");
  return port;
}

export const onlyWeb1 = [...deploy, "web1"];
export const failing = { pool: { upgrade: unless("broken"), ...within3s } };
export const knownHostsOf = (site: FakeSite): string => site.host("web1").knownHosts;
export const release: Overrides = {
  upgrade: undefined,
  rollout: { min_serving: 0 },
};

/** Each node's login folder is /{FOLDER} in the inventory. */
export async function withFolders(site: FakeSite): Promise<FakeSite> {
  const folders = site.names.map((name) => site.host(name).folder);
  const text = await readFile(site.inventory, "utf8");
  const to = text.replaceAll(
    /^( +)PORT: /gm,
    (line, indent: string) => `${indent}FOLDER: ${folders.shift()?.slice(1)}\n${line}`,
  );
  await writeFile(site.inventory, to.replaceAll(/\/login-folder(\S*)/g, '"/{FOLDER}$1"'));
  return site;
}

/** Its process ends by itself. */
export const started = 'sleep 20 >/dev/null 2>&1 & echo $! >"$HOME/app.pid"';
export const proof = { pidfile: "/login-folder/app.pid" };

/** A site that brings its own release, kept in the host's login folder. */
export async function releaseSite(pool: Overrides = {}): Promise<FakeSite> {
  const site = await fakeSite({
    pool: {
      ...release,
      release: { upload: "build-{RELEASE}.tar.gz", to: "/login-folder/app", keep: 2 },
      ...pool,
    },
  });
  await withFolders(site);
  await makeRelease(join(dirname(site.inventory), "build-1.tar.gz"), { app: "one\n" });
  await makeRelease(join(dirname(site.inventory), "build-2.tar.gz"), { app: "two\n" }, 1 << 20);
  return site;
}

export const soaked = { pool: { rollout: { soak: "400ms", min_serving: 1 } }, nodes: 3 };

/** A request each millisecond; web1 answers with errors once it soaks. */
export function underLoad(site: FakeSite): void {
  let isBad = false;
  site.atStep("web1", "soak", () => (isBad = true));
  let until = performance.now();
  const timer = setInterval(() => {
    if (site.balancers.some(({ lines }) => lines.length > 100_000)) clearInterval(timer);
    const requests = Math.floor(performance.now() - until);
    until += requests;
    for (const server of site.balancers.flatMap((lb) => lb.servers())) {
      if (server.admin !== 0 || server.operational !== 2) continue;
      server.total += requests;
      server.answered += requests;
    }
    if (!isBad) return;
    for (const lb of site.balancers) {
      const server = lb.server("app", "web1");
      const bad = Math.floor(requests / 5);
      server.answered -= bad;
      server.errors += bad;
    }
  }, 5);
  timer.unref();
  setTimeout(() => clearInterval(timer), 20_000).unref();
}

export const stop = (): void => void process.emit("SIGTERM", "SIGTERM");

export async function takenBySomebody(site: FakeSite): Promise<void> {
  await using journal = await site.journal();
  const elsewhere = { ...thisProcess(), host: "there", pid: 4711 };
  await journal.take({ fleet: "fake", by: "bob@there", command: "deploy", reason: undefined, ...elsewhere });
}

/** A situation for each entry of the runbook: what goes wrong, what is typed, and what a person mends before the next line is typed. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import type { ErrorCode } from "../../src/base/errors.ts";
import Database from "libsql";
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

const inFolder = (site: FakeSite, node: string, name: string): string => join(site.host(node).folder, name);
export const make = (node: string, name: string) => (site: FakeSite) =>
  writeFile(inFolder(site, node, name), "");
export const remove = (node: string, name: string) => (site: FakeSite) => rm(inFolder(site, node, name));

/** Changes the inventory as text. */
const rewritten =
  (from: string | RegExp, to: string) =>
  async (site: FakeSite): Promise<void> =>
    writeFile(site.inventory, (await readFile(site.inventory, "utf8")).replace(from, to));

const journalFile = (site: FakeSite): string => site.env["ROTA_JOURNAL"]?.replace("sqlite:", "") ?? "";

const unless = (name: string): string => `[ ! -e ${name} ] || { echo "no such table: orders" >&2; exit 3; }`;

const within1s = { check: { within: "1s" } };

/** Ids, the newest first. */
async function runsOf(site: FakeSite): Promise<string[]> {
  await using journal = await site.journal();
  return (await journal.runs("fake", 9)).map(({ run }) => run);
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  await once(server, "close");
  return port;
}

const onlyWeb1 = [...deploy, "web1"];
export const failing = { pool: { upgrade: unless("broken"), ...within1s } };
const knownHostsOf = (site: FakeSite): string => site.host("web1").knownHosts;
const release: Overrides = {
  upgrade: undefined,
  rollout: { min_serving: 0 },
};

/** Each node's login folder is /{FOLDER} in the inventory. */
async function withFolders(site: FakeSite): Promise<FakeSite> {
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
const started = 'sleep 20 >/dev/null 2>&1 & echo $! >"$HOME/app.pid"';
const proof = { pidfile: "/login-folder/app.pid" };

/** A site that brings its own release, kept in the host's login folder. */
async function releaseSite(pool: Overrides = {}): Promise<FakeSite> {
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

const soaked = { pool: { rollout: { soak: "400ms", min_serving: 1 } }, nodes: 3 };

/** A request each millisecond; web1 answers with errors once it soaks. */
function underLoad(site: FakeSite): void {
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

const stop = (): void => void process.emit("SIGTERM", "SIGTERM");

export async function takenBySomebody(site: FakeSite): Promise<void> {
  await using journal = await site.journal();
  const elsewhere = { ...thisProcess(), host: "there", pid: 4711 };
  await journal.take({ fleet: "fake", by: "bob@there", command: "deploy", reason: undefined, ...elsewhere });
}

export const scenes: Scene[] = [
  {
    code: "USAGE",
    site: () => fakeSite(failing),
    begin: async (site) => {
      await make("web1", "broken")(site);
      await site.rota(...deploy);
    },
    words: ["resume"],
    mend: remove("web1", "broken"),
  },
  {
    code: "INVENTORY",
    site: () => fakeSite(),
    begin: rewritten("restart:", "restrat:"),
    mend: rewritten("restrat:", "restart:"),
  },
  {
    code: "JOURNAL",
    site: () => fakeSite(),
    begin: (site) => writeFile(journalFile(site), "this is no journal, but a text of some length"),
    mend: (site) => rm(journalFile(site)),
  },
  {
    code: "JOURNAL_NEWER",
    site: () => fakeSite(),
    begin: async (site) => {
      await site.rota(...deploy);
      const db = new Database(journalFile(site));
      db.exec("insert into kysely_migration (name, timestamp) values ('9999-later', '2099')");
      db.close();
    },
  },
  {
    code: "LEASE_HELD",
    site: () => fakeSite(),
    begin: async (site) => {
      await takenBySomebody(site);
      setTimeout(() => void site.rota("unlock", "--yes"), 1500);
    },
  },
  {
    code: "LEASE_LOST",
    site: () => fakeSite({ pool: { upgrade: "sleep 1" } }),
    begin: (site) => site.atStep("web1", "upgrade", () => void site.rota("unlock", "--yes")),
    states: [expect.stringMatching(/^(drain|maint)$/), "ready"], // as far as it was told, when it was not to act any more
  },
  {
    code: "REFUSED",
    site: () => fakeSite(),
    begin: async (site) => {
      await site.rota(...deploy);
      await site.rota("deploy", "--set", "RELEASE=3", "web2");
    },
    words: async (site) => ["rollback", (await runsOf(site)).at(-1) ?? ""],
  },
  {
    code: "REFUSED",
    what: "a balancer of --tolerate answers again",
    site: () => fakeSite({ nodes: 3 }),
    begin: (site) => {
      site.balancer("lb2").always("reset");
      site.atStep("web2", "survey", () => site.balancer("lb2").always(undefined));
    },
    words: [...deploy, "--tolerate", "lb2"],
  },
  {
    code: "CAPACITY",
    site: () => fakeSite(),
    begin: (site) => site.rota("drain", "web2", "--reason", "disk swap"),
    words: onlyWeb1,
    states: ["ready", "drain"],
  },
  {
    code: "BALANCER_UNREACHABLE",
    site: () => fakeSite(),
    begin: (site) => site.balancer("lb2").always("reset"),
  },
  {
    code: "BALANCER_ANSWER",
    site: () => fakeSite(),
    begin: (site) => site.balancer("lb2").always({ answer: "220 mail.example.com ESMTP\n\n".repeat(9) }),
    mend: (site) => site.balancer("lb2").always(undefined),
  },
  {
    code: "BALANCER_RIGHTS",
    site: () => fakeSite(),
    begin: (site) => (site.balancer("lb2").level = "operator"),
    mend: (site) => (site.balancer("lb2").level = "admin"),
  },
  {
    code: "SERVER_MISSING",
    site: () => fakeSite(),
    begin: (site) => site.balancer("lb2").removeServer("app", "web2"),
    mend: (site) => site.balancer("lb2").addServer("app", "web2"),
  },
  {
    code: "HOST_UNREACHABLE",
    site: () => fakeSite(),
    begin: async (site) => rewritten(`port: ${site.host("web1").port}`, `port: ${await freePort()}`)(site),
    mend: (site) => rewritten(/port: \d+/, `port: ${site.host("web1").port}`)(site),
    ends: "fails",
    again: true,
  },
  {
    code: "HOST_LOGIN",
    site: () => fakeSite(),
    begin: (site) => rewritten(site.host("web1").identity, site.host("web2").identity)(site),
    mend: (site) => rewritten(site.host("web2").identity, site.host("web1").identity)(site),
    ends: "fails",
    again: true,
  },
  {
    code: "HOST_KEY",
    site: () => fakeSite(),
    begin: (site) => writeFile(knownHostsOf(site), ""),
    ends: "fails",
    again: true,
  },
  {
    code: "HOST_KEY",
    what: "a host key that has changed",
    site: () => fakeSite(),
    begin: (site) => {
      const line = `[127.0.0.1]:${site.host("web1").port} ${site.host("web2").hostKey}\n`;
      return writeFile(knownHostsOf(site), line);
    },
    again: "after ssh",
  },
  {
    code: "SSH_CONFIG",
    site: () => fakeSite(),
    begin: async (site) => {
      site.env["ROTA_SSH_CONFIG"] = join(dirname(site.inventory), "ssh-config");
      await writeFile(site.env["ROTA_SSH_CONFIG"], "Hots web1\n");
    },
    mend: (site) => writeFile(join(dirname(site.inventory), "ssh-config"), "Host web1\n"),
    ends: "fails",
    again: true,
  },
  {
    code: "COMMAND_FAILED",
    site: () => fakeSite(failing),
    begin: make("web1", "broken"),
    mend: remove("web1", "broken"),
  },
  {
    code: "COMMAND_UNKNOWN",
    site: () => fakeSite(),
    begin: (site) => site.host("web1").dieDuring(/upgrading/),
    mend: (site) => site.host("web1").dieDuring(/(?!)/),
  },
  {
    code: "HOOK_FAILED",
    site: () => fakeSite({ pool: { hooks: { after_batch: { here: unless("broken") } } } }),
    begin: (site) => writeFile(join(dirname(site.inventory), "broken"), ""),
    mend: (site) => rm(join(dirname(site.inventory), "broken")),
  },
  {
    code: "UPLOAD_FAILED",
    site: () => releaseSite(),
    begin: (site) => site.host("web2").cutUploadAfter(100_000),
    mend: (site) => site.host("web2").cutUploadAfter(Infinity),
  },
  {
    code: "RESTART_UNPROVEN",
    site: () =>
      fakeSite({ pool: { restart: { run: `[ -e broken ] || { ${started}; }`, proof }, ...within1s } }),
    begin: async (site) => make("web1", "broken")(await withFolders(site)),
    mend: remove("web1", "broken"),
  },
  {
    code: "RELEASE_OLD",
    site: () =>
      releaseSite({
        restart: {
          run: `cd app/current; [ ! -e "$HOME/broken" ] || cd "$HOME"/app/releases/1-*; ${started}`,
          proof,
        },
      }),
    begin: async (site) => {
      await site.rota("deploy", "--set", "RELEASE=1");
      await make("web1", "broken")(site);
    },
    mend: remove("web1", "broken"),
  },
  {
    code: "NODE_DOWN",
    site: () => fakeSite({ pool: { ready: { ramp: ["25%", "50%"], every: "1s" } } }),
    begin: (site) => {
      for (const server of site.balancers.flatMap((lb) => lb.servers()))
        Object.assign(server, { weight: 100, initialWeight: 100 });
      site.whenWaiting("web1", /^25% of its weight/, () => {
        site.balancer("lb2").server("app", "web1").passes = false;
      });
    },
    mend: (site) => (site.balancer("lb2").server("app", "web1").passes = true),
  },
  {
    code: "WAIT_LIMIT",
    site: () => fakeSite({ pool: within1s }),
    begin: (site) => site.app("web1").answers({ status: 503, body: "no database" }),
    mend: (site) => site.app("web1").answers({ status: 200, body: '{"status":"ok"}' }),
  },
  {
    code: "WAIT_LIMIT",
    what: "sessions that do not end",
    site: () => fakeSite({ pool: { drain: { within: "300ms" } } }),
    begin: (site) => (site.balancer("lb1").server("app", "web1").sessions = 3),
    mend: (site) => (site.balancer("lb1").server("app", "web1").sessions = 0),
  },
  {
    code: "SOAK_WORSE",
    site: () => fakeSite(soaked),
    begin: underLoad,
    states: ["drain", "ready", "ready"],
  },
  {
    code: "SOAK_INCONCLUSIVE",
    site: () => fakeSite(soaked),
    mend: rewritten("soak: 400ms", "soak: 400ms\n      inconclusive: go-on"),
  },
  {
    code: "INTERRUPTED",
    site: () => fakeSite(),
    begin: (site) => site.atStep("web1", "upgrade", stop),
    alone: true,
  },
];

/** ssh as a person types it, who says yes to the host's key. */
export async function typeElsewhere(command: string): Promise<number> {
  const yes = join(process.env["TMPDIR"] ?? "/tmp", `rota-says-yes-${process.pid}`);
  await writeFile(yes, "#!/bin/sh\necho yes\n");
  await chmod(yes, 0o700);
  const env = { ...process.env, SSH_ASKPASS: yes, SSH_ASKPASS_REQUIRE: "force", DISPLAY: ":0" };
  return promisify(execFile)("sh", ["-c", command], { env, timeout: 20_000 }).then(
    () => 0,
    (failed: { code?: number }) => failed.code ?? 1,
  );
}

import { execFile } from "node:child_process";
import { chownSync, readFileSync, readdirSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { notYet, yes } from "../../src/base/poll.ts";
import { freePorts } from "./addresses.ts";
import { signal } from "./family.ts";
import { processesIn } from "./processes.ts";
import { waitFor } from "./wait.ts";

/** A real PostgreSQL on a port of its own. */
export interface LabPostgres extends AsyncDisposable {
  /** A database that nobody has used yet. */
  freshDatabase(): Promise<string>;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** Debian keeps the server's programs out of the path. */
function binaries(): string {
  const versions = readdirSync("/usr/lib/postgresql").toSorted((a, b) => Number(a) - Number(b));
  return join("/usr/lib/postgresql", versions.at(-1) ?? "", "bin");
}

/** PostgreSQL refuses to run as root. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (userInfo().uid !== 0) return undefined;
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((one) => one.startsWith("postgres:"));
  const [, , uid, gid] = line?.split(":") ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}

export async function startPostgres(): Promise<LabPostgres> {
  const folder = await mkdtemp(join(tmpdir(), "lab-pg-"));
  const processes = processesIn(folder);
  const user = serverUser();
  if (user) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  await promisify(execFile)(
    join(binaries(), "initdb"),
    ["-D", data, "-U", "rota", "--auth", "trust", "--no-sync", "-E", "UTF8"],
    { cwd: folder, env: { PATH: process.env["PATH"], LC_ALL: "C.UTF-8", ...processes.mark }, ...user },
  );
  const [port = 0] = await freePorts(1, ["127.0.0.1"]);
  const urlOf = (database: string): string => `postgres://rota@127.0.0.1:${port}/${database}`;
  let databases = 0;
  let pid = 0;
  const server: LabPostgres = {
    async start() {
      const args = [
        "-D",
        data,
        "-p",
        `${port}`,
        "-k",
        folder,
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "fsync=off",
      ];
      pid = await processes.start(join(binaries(), "postgres"), args, join(folder, "log"), user);
      await waitFor("PostgreSQL to answer", 20_000, async () => {
        const fault = await ask(urlOf("postgres"), "select 1").then(
          () => undefined,
          (error: Error) => error.message,
        );
        return fault === undefined ? yes(undefined) : notYet(fault);
      });
    },
    async freshDatabase() {
      databases += 1;
      await ask(urlOf("postgres"), `create database rota${databases}`);
      return urlOf(`rota${databases}`);
    },
    async kill() {
      signal(pid, "SIGQUIT"); // "immediate shutdown": no goodbye, recovery at the next start
      await waitFor("PostgreSQL to end", 10_000, async () =>
        processes.pids().length === 0 ? yes(undefined) : notYet("it runs"),
      );
    },
    [Symbol.asyncDispose]: () => processes.end(),
  };
  await server.start();
  return server;
}

async function ask(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => undefined);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** A journal that fails while a deploy runs: the deploy stops at the next safe point, and goes on later. */
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import { openDatabase } from "../../src/journal/open.ts";
import { startLab, type Lab } from "./lab.ts";
import { type LabPostgres, startPostgres } from "./postgres.ts";
import { type Ended, type Rota, envOf, runRota, startRota } from "./rota.ts";
import { waitFor } from "./wait.ts";

let lab: Lab;
let postgres: LabPostgres;

beforeAll(async () => {
  lab = await startLab({ bootSeconds: 0, nodes: 2, workers: 2, checkInterMs: 100 });
  postgres = await startPostgres();
}, 120_000);
afterAll(async () => {
  await lab.stop();
  await postgres[Symbol.asyncDispose]();
});

const run = promisify(execFile);
const program = join(import.meta.dirname, "../../scripts/rota");

/** Long enough on web1 for the journal to fail meanwhile. */
const restart = { run: '[ "$ROTA_NODE" = web2 ] || sleep 0.5; cd "$NODE_HOME" && ./appctl restart' };
const upgrade = 'cd "$NODE_HOME" && ./switch-release "$RELEASE" && echo "$RELEASE" >> upgrades';

const isFull = process.env["CHAOS"] === "full";

test.each([
  ...(isFull ? [["settle", "2", /left: {2}web1 is as it was found; web2 was not touched/] as const] : []),
  ["restart", "3", /left: {2}web1 is out of rotation; web2 was not touched/],
] as const)(
  "a database that dies during %s: rota stops, says so, and the run goes on when it is back",
  async (step, release, left) => {
    const env = { ROTA_JOURNAL: await postgres.freshDatabase() };
    const inventory = await lab.inventory({ upgrade, restart });
    // One on each node, so that web1 does not settle before the database is gone.
    const slow = [1, 2].map(() => fetch(`${lab.balancer("lb1").url}/slow?ms=2000`));
    const deploy = startRota(lab, ["deploy", "-i", inventory, "--set", `RELEASE=${release}`], env);
    await untilAfter(deploy, step);
    await postgres.kill();
    const ended = await deploy.ended;
    await Promise.all(slow);
    expect(ended.code, ended.stderr).toBe(1);
    expect(ended.stderr).toMatch(/rota: web1: the journal postgres:\S+ can't be used: /);
    expect(ended.stderr).toMatch(left);
    const down = await runRota(lab, ["status", "-i", inventory], env);
    expect(down.code).toBe(3);
    expect(down.stderr).toContain("next:  see that the database runs, and that you may use it");

    await postgres.start();
    await expectGoesOn({ ended, inventory, env, release });
  },
);

test("a database that dies while it is asked something ends the question, not the program", async () => {
  const url = await postgres.freshDatabase();
  await using database = await openDatabase({ kind: "postgres", url });
  const asked = sql`select pg_sleep(10)`.execute(database.db).catch((error: Error) => error.message);
  await sql`select 1`.execute(database.db); // both are under way now
  await postgres.kill();
  expect(await asked).toMatch(/terminat|reset/i);
  await postgres.start();
  await sql`select 1`.execute(database.db);
});

test.runIf(userInfo().uid === 0)(
  "a disk that is full: rota stops, says so, and the run goes on when there is room",
  async () => {
    await using disk = await smallDisk();
    const env = { ROTA_JOURNAL: `sqlite:${disk.folder}/journal.db` };
    const inventory = await lab.inventory({ upgrade, restart });
    const deploy = startRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=4"], env);
    await untilAfter(deploy, "restart");
    await disk.fill();
    const ended = await deploy.ended;
    expect(ended.code, ended.stderr).toBe(1);
    expect(ended.stderr).toMatch(/rota: web1: the journal \S+journal\.db can't be used: .*disk is full/);
    expect(ended.stderr).toMatch(/left: {2}web1 is out of rotation; web2 was not touched/);

    await disk.empty();
    await expectGoesOn({ ended, inventory, env, release: "4" });
  },
);

test("no room for what an upgrade printed: it is done all the same, and that is said", async () => {
  const path = join(lab.folder, "full.db");
  const env = { ...envOf(lab), ROTA_JOURNAL: `sqlite:${path}` };
  const inventory = await lab.inventory({
    upgrade: `${upgrade}; head -c 60000 /dev/zero | tr '\\0' x | fold -w 500`,
  });
  await runRota(lab, ["resume", "-i", inventory], { ROTA_JOURNAL: env.ROTA_JOURNAL }); // makes it
  const blocks = Math.ceil((await stat(path)).size / 512) + 32; // of 512 bytes: 16 KiB more
  const script = 'ulimit -f "$1"; shift; exec "$@"';
  const words = [program, "deploy", "-i", inventory, "--set", "RELEASE=5"];
  const { stderr } = await run("/bin/sh", ["-c", script, "sh", `${blocks}`, ...words], { env });
  expect(stderr).toMatch(
    / ! what upgrade on web1 printed is not kept: the journal \S+full\.db can't be used: /,
  );
  expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["5", "5"]);
});

interface Stopped {
  ended: Ended;
  inventory: string;
  env: Record<string, string>;
  release: string;
}

async function expectGoesOn({ ended, inventory, env, release }: Stopped): Promise<void> {
  const [, id = ""] = /next: .*rota resume (\w+) -i/.exec(ended.stderr) ?? [];
  expect(id, ended.stderr).not.toBe("");
  const seen = await runRota(lab, ["status", "-i", inventory], env);
  expect(seen.stdout).toMatch(new RegExp(`run ${id} \\(deploy, by .*\\) is not finished: web1 was at`));
  const resumed = await runRota(lab, ["resume", id, "-i", inventory], env);
  expect(resumed.code, resumed.stderr).toBe(0);
  await lab.untilAllInRotation();
  for (const node of lab.nodes) {
    expect(await node.release()).toBe(release);
    const upgrades = (await readFile(join(node.folder, "upgrades"), "utf8")).split("\n");
    expect(upgrades.filter((one) => one === release)).toEqual([release]);
  }
  const after = await runRota(lab, ["status", "-i", inventory], env);
  expect(after.stdout).not.toMatch(/not finished|left out|being changed/);
}

/** Waits until web1 has begun this step. */
async function untilAfter(rota: Rota, step: "settle" | "restart"): Promise<void> {
  const sign = step === "settle" ? "web1 settle: " : "web1 upgrade done";
  await waitFor(`web1 to be at ${step}`, 30_000, async () =>
    rota.stderr().includes(sign) ? yes(undefined) : notYet(rota.stderr()),
  );
}

/** A file system of its own, as small as a journal. */
async function smallDisk() {
  const folder = join(lab.folder, "disk");
  await mkdir(folder, { recursive: true });
  await run("mount", ["-t", "tmpfs", "-o", "size=512k", "tmpfs", folder]);
  const filler = join(folder, "filler");
  return {
    folder,
    fill: () => writeFile(filler, Buffer.alloc(1_000_000)).catch(() => undefined), // as much as there is room for
    empty: () => rm(filler),
    async [Symbol.asyncDispose]() {
      await run("umount", [folder]);
    },
  };
}

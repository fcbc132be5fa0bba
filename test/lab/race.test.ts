/**
 * Deploys that begin at the same moment: twice on each database, 50 times with CHAOS=full, as scripts/chaos does. The
 * program, its processes and the databases are real; balancers, hosts and apps are not what is raced for.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import { buildProgram } from "../fakes/program.ts";
import { type FakeSite, fakeSite } from "../fakes/site.ts";
import { type LabPostgres, startPostgres } from "./postgres.ts";
import { waitFor } from "./wait.ts";

const isFull = process.env["CHAOS"] === "full";
const rounds = isFull ? 50 : 2;
/**
 * Milliseconds between the two starts for a round to count: where a busy machine did not manage it, one more is run.
 * For every day, as near as it comes.
 */
const together = isFull ? 1 : Infinity;
const program = join(import.meta.dirname, "../../scripts/rota");

let folder: string;
let postgres: LabPostgres;

beforeAll(async () => {
  await buildProgram();
  folder = await mkdtemp(join(tmpdir(), "race-"));
  postgres = await startPostgres();
}, 120_000);
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

let files = 0;
const freshJournal = {
  sqlite: async () => `sqlite:${join(folder, `${(files += 1)}.db`)}`,
  postgres: () => postgres.freshDatabase(),
};

test.each(["sqlite", "postgres"] as const)(
  `of two deploys started ${isFull ? "within a millisecond" : "at once"}, exactly one runs: ${rounds} times on %s`,
  { timeout: rounds * 30_000, retry: 0 },
  async (database) => {
    await using site = await fakeSite({ pool: { upgrade: 'echo "$RELEASE" >> upgrades; sleep 0.2' } });
    const releases: string[] = [];
    const apart: number[] = [];
    let journal = "";
    while (apart.filter((ms) => ms <= together).length < rounds) {
      expect(releases.length, `starts were apart by ${apart.join(", ")} ms`).toBeLessThan(rounds * 10);
      // Every second round, they also race for who makes the tables.
      if (releases.length % 2 === 0) journal = await freshJournal[database]();
      releases.push(`${releases.length + 2}`);
      apart.push(await race(site, journal, releases.at(-1) ?? ""));
      expect(await upgradesOf(site)).toEqual([releases, releases]);
      expect([site.stateOf("web1"), site.stateOf("web2")]).toEqual(["ready", "ready"]);
    }
    const sorted = apart.toSorted((a, b) => a - b);
    console.log(`${database}: ${apart.length} rounds, starts apart by ${sorted.join(", ")} ms`);
  },
);

/** Both deploy; exactly one may. Returns how many milliseconds apart they began. */
async function race(site: FakeSite, journal: string, release: string): Promise<number> {
  const gate = join(folder, `gate-${release}-${(files += 1)}`);
  const words = ["deploy", "-i", site.inventory, "--set", `RELEASE=${release}`, "--reason", "new logo"];
  const runners = [1, 2].map((number) =>
    startAtGate(words, { ...site.env, ROTA_JOURNAL: journal }, `${gate}.${number}`, gate),
  );
  await waitFor("both to stand at the gate", 20_000, async () =>
    runners.every(({ mark }) => existsSync(mark)) ? yes(undefined) : notYet("one is not there yet"),
  );
  await writeFile(`${gate}.new`, `${Number(process.hrtime.bigint()) / 1e6 + 50}`);
  await rename(`${gate}.new`, gate); // there only when it is whole
  const ended = await Promise.all(runners.map((runner) => runner.ended));
  const said = ended.map(({ code, stderr }) => `exit code ${String(code)}: ${stderr}`).join("\n---\n");
  expect(
    ended.map(({ code }) => Number(code)).toSorted((a, b) => a - b),
    said,
  ).toEqual([0, 3]);
  const winner = ended.find(({ code }) => code === 0);
  const refused = ended.find(({ code }) => code === 3);
  expect(refused?.stderr).toMatch(
    new RegExp(
      `somebody changes fake now: \\S+ \\(pid ${winner?.pid} on \\S+\\), rota deploy, for \\S+: new logo`,
    ),
  );
  expect(refused?.stderr).toContain("left:  nothing was touched");
  const [first = NaN, second = NaN] = await Promise.all(
    runners.map(async ({ mark }) => Number(await readFile(mark, "utf8"))),
  );
  return Math.round(Math.abs(first - second) * 1000) / 1000;
}

/**
 * Runs in the program's own process, before it: loads all that the program is made of, so that nothing is left to do
 * but its work, says that it is there, and goes on at the moment the gate names.
 */
const gatekeeper = `
  import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
  import { setPriority } from "node:os";
  import { dirname, join } from "node:path";
  import { pathToFileURL } from "node:url";
  const { GATE, MARK } = process.env;
  const { ppid } = process;
  const bin = dirname(process.argv[1]);
  const parts = readdirSync(bin).filter((name) => name.endsWith(".js") && name !== "rota.js");
  await Promise.all(parts.map((name) => import(pathToFileURL(join(bin, name)))));
  const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  const now = () => Number(process.hrtime.bigint()) / 1e6; // one clock for all processes of a machine
  const hurry = (priority) => {
    try {
      setPriority(priority);
    } catch {} // only root may
  };
  writeFileSync(MARK, "");
  while (!existsSync(GATE)) {
    if (process.ppid !== ppid) process.exit(1); // nobody will open it any more
    sleep(2);
  }
  const moment = Number(readFileSync(GATE, "utf8"));
  hurry(-20);
  while (now() < moment - 3) sleep(1);
  while (now() < moment);
  const started = now();
  hurry(0);
  writeFileSync(MARK, String(started));
`;

function startAtGate(words: string[], env: Record<string, string | undefined>, mark: string, gate: string) {
  const child = spawn(program, words, {
    env: {
      ...env,
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(gatekeeper)}`,
      GATE: gate,
      MARK: mark,
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const closed = once(child, "close");
  const ended = text(child.stderr).then(async (stderr) => {
    const [code]: unknown[] = await closed;
    return { pid: child.pid, code, stderr }; // the script becomes the program, in the same process
  });
  return { mark, ended };
}

/** The releases that each node was upgraded to, in order. */
const upgradesOf = (site: FakeSite): Promise<string[][]> =>
  Promise.all(
    ["web1", "web2"].map(async (node) =>
      (await readFile(join(site.host(node).folder, "upgrades"), "utf8")).trimEnd().split("\n"),
    ),
  );

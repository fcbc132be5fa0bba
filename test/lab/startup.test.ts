import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { expect, test } from "vitest";
import { openJournal } from "../../src/journal/open.ts";
import { thisProcess } from "../../src/journal/process.ts";
import { fakeHaproxy } from "../fakes/haproxy.ts";
import { type FakeHost, fakeHost } from "../fakes/ssh-host.ts";

const root = join(import.meta.dirname, "../..");
const program = join(root, "dist/bin/rota.js");
execFileSync(join(root, "scripts/rota"), ["--version"]); // builds, if it must

/** Milliseconds of an empty program on the machine that the limits below are meant for. */
const usualEmpty = 90;

/**
 * Milliseconds that a program takes on top of an empty one, both measured in turn; medians. Where the machine is
 * slow or busy, so is the empty one: what is on top is told as it would be on the machine that is meant.
 */
async function onTop(words: string[], rounds = 9, env: Env = {}, until?: string): Promise<number> {
  const [empty, full]: [number[], number[]] = [[], []];
  for (let i = 0; i < rounds; i += 1) {
    empty.push(await timeOf(["-e", ""]));
    full.push(await (until === undefined ? timeOf([program, ...words], env) : timeUntil(until, words, env)));
  }
  return (median(full) - median(empty)) * Math.min(1, usualEmpty / median(empty));
}

type Env = Record<string, string>;

async function timeOf(args: string[], env: Env = {}): Promise<number> {
  const began = performance.now();
  await promisify(execFile)(process.execPath, args, { cwd: root, env: { ...process.env, ...env } });
  return performance.now() - began;
}

/** What acts is not waited for: its start is over when it says that. Then it is killed, and its lease is there to be taken. */
async function timeUntil(said: string, words: string[], env: Env): Promise<number> {
  const began = performance.now();
  const child = spawn(process.execPath, [program, ...words], { cwd: root, env: { ...process.env, ...env } });
  const ended = once(child, "close");
  try {
    let output = "";
    for await (const chunk of child.stdout)
      if ((output += String(chunk)).includes(said)) return performance.now() - began;
    throw new Error(`it ended without "${said}":\n${output}`);
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

const median = (numbers: number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;

test("help is there within 80 ms of an empty program", { timeout: 60_000, retry: 2 }, async () => {
  const ms = await onTop(["--help"]);
  process.stdout.write(`rota --help: ${Math.round(ms)} ms on top of an empty program\n`);
  expect(ms).toBeLessThan(80);
});

test.each([
  { command: "plan", nodes: 100, limit: 250, rounds: 9, until: undefined },
  { command: "status", nodes: 100, limit: 250, rounds: 9, until: undefined },
  { command: "status", nodes: 1_000, limit: 1_000, rounds: 5, until: undefined },
  {
    command: "drain web1 --reason disk --yes --json",
    nodes: 100,
    limit: 450,
    rounds: 5,
    until: "step started",
  },
  { command: "deploy web1 --yes --json", nodes: 100, limit: 600, rounds: 5, until: "step started" },
])(
  "$command of $nodes nodes on two balancers is there within $limit ms of an empty program",
  { timeout: 60_000, retry: 2 },
  async ({ command, nodes, limit, rounds, until }) => {
    const names = Array.from({ length: nodes }, (_, i) => `web${i + 1}`);
    await using lb1 = await fakeHaproxy({ backends: { app: names } });
    await using lb2 = await fakeHaproxy({ backends: { app: names }, kind: "tcp" });
    await using host = await fakeHost();
    const folder = await mkdtemp(join(tmpdir(), "rota-many-"));
    try {
      const inventory = join(folder, "many.yml");
      await writeFile(inventory, inventoryOf(nodes, [lb1.address, lb2.address], host));
      const env = { ROTA_JOURNAL: `sqlite:${join(folder, "journal.db")}` };
      await deployedOnce(env, names);
      const ms = await onTop([...command.split(" "), "-i", inventory], rounds, env, until);
      process.stdout.write(
        `rota ${command}, ${nodes} nodes: ${Math.round(ms)} ms on top of an empty program\n`,
      );
      expect(ms).toBeLessThan(limit);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);

/** A journal as a fleet has it that was deployed. */
async function deployedOnce(env: Env, nodes: string[]): Promise<void> {
  await using journal = await openJournal(env);
  const by = { fleet: "many", by: "ann@here", command: "deploy", reason: undefined } as const;
  const taken = await journal.take({ ...by, ...thisProcess() });
  if (!("epoch" in taken)) throw new Error("the lease is held");
  const writes = journal.under("many", taken.epoch);
  const run = await writes.begin({ ...by, set: { RELEASE: "42" }, nodes, args: {} });
  for (const node of nodes) await writes.nodeEnded(run, node, "back");
  await writes.end(run, "done");
  await journal.release("many", taken.epoch);
}

type Address = Awaited<ReturnType<typeof fakeHaproxy>>["address"];

const inventoryOf = (count: number, addresses: Address[], { port, identity, knownHosts }: FakeHost): string =>
  stringify({
    fleet: "many",
    ssh: { port, identity, known_hosts: knownHosts },
    balancers: Object.fromEntries(
      addresses.map((at, i) => [
        `lb${i + 1}`,
        at.kind === "unix" ? `unix:${at.path}` : `tcp://${at.host}:${at.port}`,
      ]),
    ),
    pools: {
      web: {
        nodes: Object.fromEntries(
          Array.from({ length: count }, (_, i) => [
            `web${i + 1}`,
            i === 0 ? "127.0.0.1" : `10.0.${i >> 8}.${i & 255}`,
          ]),
        ),
        restart: { via: "command", run: "./restart" },
        check: { url: "http://{host}:8000/_status" },
      },
    },
  });

import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { expect, test } from "vitest";
import { fakeHaproxy } from "../fakes/haproxy.ts";

const root = join(import.meta.dirname, "../..");
const program = join(root, "dist/bin/rota.js");
execFileSync(join(root, "scripts/rota"), ["--version"]); // builds, if it must

/** Milliseconds of an empty program on the machine that the limits below are meant for. */
const usualEmpty = 90;

/**
 * Milliseconds that a program takes on top of an empty one, both measured in turn; medians. Where the machine is
 * slow or busy, so is the empty one: what is on top is told as it would be on the machine that is meant.
 */
async function onTop(words: string[], rounds = 9): Promise<number> {
  const [empty, full]: [number[], number[]] = [[], []];
  for (let i = 0; i < rounds; i += 1) {
    empty.push(await timeOf(["-e", ""]));
    full.push(await timeOf([program, ...words]));
  }
  return (median(full) - median(empty)) * Math.min(1, usualEmpty / median(empty));
}

async function timeOf(args: string[]): Promise<number> {
  const began = performance.now();
  await promisify(execFile)(process.execPath, args, { cwd: root });
  return performance.now() - began;
}

const median = (numbers: number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;

test("help is there within 80 ms of an empty program", { timeout: 60_000, retry: 2 }, async () => {
  const ms = await onTop(["--help"]);
  process.stdout.write(`rota --help: ${Math.round(ms)} ms on top of an empty program\n`);
  expect(ms).toBeLessThan(80);
});

test(
  "a plan over 100 nodes is there within 250 ms of an empty program",
  { timeout: 60_000, retry: 2 },
  async () => {
    const names = Array.from({ length: 100 }, (_, i) => `web${i + 1}`);
    await using lb1 = await fakeHaproxy({ backends: { app: names } });
    await using lb2 = await fakeHaproxy({ backends: { app: names }, kind: "tcp" });
    const folder = await mkdtemp(join(tmpdir(), "rota-hundred-"));
    try {
      const inventory = join(folder, "hundred.yml");
      await writeFile(inventory, inventoryOf([lb1.address, lb2.address]));
      const ms = await onTop(["plan", "-i", inventory]);
      process.stdout.write(`rota plan, 100 nodes: ${Math.round(ms)} ms on top of an empty program\n`);
      expect(ms).toBeLessThan(250);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);

type Address = Awaited<ReturnType<typeof fakeHaproxy>>["address"];

const inventoryOf = (addresses: Address[]): string =>
  stringify({
    fleet: "hundred",
    balancers: Object.fromEntries(
      addresses.map((at, i) => [
        `lb${i + 1}`,
        at.kind === "unix" ? `unix:${at.path}` : `tcp://${at.host}:${at.port}`,
      ]),
    ),
    pools: {
      web: {
        nodes: { "web[1:100]": "10.0.0.[1:100]" },
        restart: { via: "command", run: "./restart" },
        check: { url: "http://{host}:8000/_status" },
      },
    },
  });

/** See scripts/bench. One deploy by rota for each size of the fleet, on a fresh one each time. */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { startLoad } from "../../test/lab/load.ts";
import { beyond, type Growth, since, spentBy } from "./haproxy-cost.ts";
import { type Cost, measured } from "./measure.ts";
import { table, whenAndWhere, writePart } from "./page.ts";
import { type LargeFleet, startLargeFleet } from "./scale-fleet.ts";

interface Scale {
  nodes: number;
  deployed: number;
  lost: number;
  sent: number;
  deploy: Cost;
  plan: Cost;
  /** What rota needs to start and end: `rota --version`. */
  start: Cost;
  haproxy: { all: Growth; beyond: Growth };
}

const program = join(import.meta.dirname, "../../dist/bin/rota.js");
/** All of a fleet that is not larger; of a larger one the nodes that the glob names. */
const allUpTo = 1_000;
const chosen = { glob: "web1???", count: 1_000 };
/** Milliseconds for which HAProxy is watched while it only checks and serves: each check comes twice. */
const idleFor = 10_000;

/** A CPU profile of every rota that runs, in the folder that $BENCH_PROFILE names. */
const profile = (): string[] => {
  const folder = process.env["BENCH_PROFILE"];
  return folder ? ["--cpu-prof", `--cpu-prof-dir=${folder}`] : [];
};

async function rota(fleet: LargeFleet, words: string[]): Promise<Cost> {
  const env = {
    ...process.env,
    ...fleet.mark,
    ROTA_JOURNAL: `sqlite:${join(fleet.folder, "journal.db")}`,
    ROTA_SSH_CONFIG: "none",
  };
  const cost = await measured(process.execPath, [...profile(), program, ...words], {
    cwd: fleet.folder,
    env,
  });
  if (cost.code !== 0)
    throw new Error(`rota ${words.join(" ")} ended with ${cost.code}:\n${cost.output.slice(-4_000)}`);
  return cost;
}

async function measure(nodes: number): Promise<Scale> {
  await using fleet = await startLargeFleet(nodes);
  const { balancer, inventory } = fleet;
  const isWhole = nodes <= allUpTo;
  const [deployed, names] = isWhole ? [nodes, []] : [chosen.count, [chosen.glob]];
  await using load = await startLoad({ urls: [balancer.url], perSecond: 200, maxSeconds: 3_600 });
  const first = await spentBy(balancer);
  await pause(idleFor);
  const idle = since(first, await spentBy(balancer));
  const start = await rota(fleet, ["--version"]);
  const plan = await rota(fleet, ["plan", "-i", inventory, "--set", "RELEASE=2"]);
  const before = await spentBy(balancer);
  const deploy = await rota(fleet, ["deploy", ...names, "-i", inventory, "--set", "RELEASE=2", "--yes"]);
  const all = since(before, await spentBy(balancer));
  const { lost, sent, lostBy } = await load.stop();
  if (lost > 0) process.stdout.write(`lost: ${JSON.stringify(lostBy)}\n`);
  const serving = (await fleet.releases()).filter((release) => release === "2").length;
  if (serving !== deployed) throw new Error(`${serving} nodes serve the new release, not ${deployed}`);
  return { nodes, deployed, lost, sent, deploy, plan, start, haproxy: { all, beyond: beyond(idle, all) } };
}

const seconds = (value: number, digits = 1): string => `${value.toFixed(digits)} s`;
const mb = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(bytes < 10 * 1024 * 1024 ? 1 : 0)} MB`;
const ms = (value: number): string => `${Math.round(value * 1_000)} ms`;

const columns: [string, (scale: Scale) => string][] = [
  ["nodes", ({ nodes }) => `${nodes}`],
  ["deployed", ({ deployed }) => `${deployed}`],
  ["requests lost", ({ lost, sent }) => `${lost} of ${sent}`],
  ["total", ({ deploy }) => seconds(deploy.took / 1_000)],
  ["rota's CPU", ({ deploy }) => seconds(deploy.cpu)],
  ["a node", ({ deploy, deployed, start }) => ms((deploy.cpu - start.cpu) / deployed)],
  ["its peak memory", ({ deploy }) => mb(deploy.memory)],
  ["HAProxy's CPU", ({ haproxy: { all } }) => seconds(all.cpu)],
  ["beyond checks and traffic", ({ haproxy }) => seconds(haproxy.beyond.cpu)],
  ["a node", ({ haproxy, deployed }) => ms(haproxy.beyond.cpu / deployed)],
  ["told to rota", ({ haproxy }) => mb(haproxy.beyond.sent)],
  ["a node", ({ haproxy, deployed }) => `${Math.round(haproxy.beyond.sent / 1024 / deployed)} KB`],
  ["`rota plan`", ({ plan }) => seconds(plan.took / 1_000)],
  ["its CPU", ({ plan }) => seconds(plan.cpu)],
];

const words = process.argv.slice(2).map(Number);
const sizes = words.length > 0 ? words : [10, 100, 1_000, 5_000];
if (sizes.some((size) => !(size >= 1 && size <= 10_000))) throw new Error("scripts/bench scale [SIZES]");

const results: Scale[] = [];
for (const size of sizes) {
  const scale = await measure(size);
  results.push(scale);
  process.stdout.write(`${columns.map(([name, of]) => `${name}: ${of(scale)}`).join(", ")}\n`);
}
const starts = results.map(({ start }) => start.cpu).toSorted((a, b) => a - b);
const [leastStart = 0, mostStart = 0] = [starts[0], starts.at(-1)];
await writePart(
  ["<!-- scale: scripts/bench scale writes this -->", "<!-- scale, end -->"],
  [
    ...table([columns.map(([name]) => name), ...results.map((scale) => columns.map(([, of]) => of(scale)))]),
    "",
    `One run each on ${whenAndWhere()}. To start alone (\`rota --version\`) costs ${leastStart.toFixed(2)} to ${mostStart.toFixed(2)} s of CPU, which is not in "a node".`,
  ],
);
process.stdout.write("docs/performance.md is written\n");

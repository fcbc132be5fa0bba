/** See scripts/bench. One deploy by rota for each distance of the balancers, on a fresh fleet each time. */
import { join } from "node:path";
import { startLab } from "../../test/lab/lab.ts";
import { startLoad } from "../../test/lab/load.ts";
import { farAway } from "./far-proxy.ts";
import { type Cost, measured } from "./measure.ts";
import { table, whenAndWhere, writePart } from "./page.ts";

interface Far {
  delay: number;
  deploy: Cost;
  lost: number;
  sent: number;
  connections: number;
  questions: number;
}

const nodes = 4;
const program = join(import.meta.dirname, "../../dist/bin/rota.js");

async function measure(delay: number): Promise<Far> {
  await using lab = await startLab({ nodes, bootSeconds: 1, workers: 4 });
  await using far = farAway(delay);
  const balancers: Record<string, { socket: string; master: string }> = {};
  for (const { name, adminSocket, masterSocket } of lab.balancers)
    balancers[name] = { socket: await far.to(adminSocket), master: await far.to(masterSocket) };
  const inventory = await lab.inventory({}, { balancers });
  await using load = await startLoad({
    urls: lab.balancers.map(({ url }) => url),
    perSecond: 200,
    maxSeconds: 600,
  });
  const deploy = await measured(
    process.execPath,
    [program, "deploy", "-i", inventory, "--set", "RELEASE=2", "--yes"],
    {
      cwd: lab.folder,
      env: {
        ...process.env,
        ROTA_JOURNAL: `sqlite:${join(lab.folder, "journal.db")}`,
        ROTA_SSH_CONFIG: "none",
      },
    },
  );
  if (deploy.code !== 0) throw new Error(`rota ended with ${deploy.code}:\n${deploy.output}`);
  const { lost, sent } = await load.stop();
  return { delay, deploy, lost, sent, ...far.asked };
}

const columns: [string, (far: Far) => string][] = [
  ["each way", ({ delay }) => `${delay} ms`],
  ["requests lost", ({ lost, sent }) => `${lost} of ${sent}`],
  ["total", ({ deploy }) => `${(deploy.took / 1_000).toFixed(1)} s`],
  ["a node", ({ deploy }) => `${(deploy.took / 1_000 / nodes).toFixed(1)} s`],
  ["connections a node", ({ connections }) => `${Math.round(connections / nodes)}`],
  ["questions a node", ({ questions }) => `${Math.round(questions / nodes)}`],
];

const results: Far[] = [];
for (const delay of [0, 50, 150]) {
  const far = await measure(delay);
  results.push(far);
  process.stdout.write(`${columns.map(([name, of]) => `${name}: ${of(far)}`).join(", ")}\n`);
}
await writePart(
  ["<!-- far: scripts/bench far writes this -->", "<!-- far, end -->"],
  [
    ...table([columns.map(([name]) => name), ...results.map((far) => columns.map(([, of]) => of(far)))]),
    "",
    `One run each on ${whenAndWhere()}.`,
  ],
);
process.stdout.write("docs/performance.md is written\n");

/** See scripts/bench. The contenders in turn, round after round, so that all meet the machine in the same mood. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Result, contenders, nodes, round } from "./contenders.ts";
import { docs, table, whenAndWhere, writePart } from "./page.ts";
import { plot } from "./plot.ts";

const rounds = Number(process.argv[2] ?? 3);

interface Summary extends Omit<Result, "cpu" | "memory"> {
  cpu: number | undefined;
  memory: number | undefined;
  /** Seconds a node, beyond its own restart and boot. */
  overhead: number;
}

function summaryOf(name: string, results: Result[]): Summary {
  const own = results.filter((result) => result.name === name);
  const of = (get: (result: Result) => number | undefined): number =>
    median(own.map(get).filter((value) => value !== undefined));
  const took = of((r) => r.took);
  const floor = of((r) => r.floor);
  return {
    name,
    lost: own.reduce((sum, r) => sum + r.lost, 0),
    sent: own.reduce((sum, r) => sum + r.sent, 0),
    p99: of((r) => r.p99),
    took,
    floor,
    cpu: own.some((r) => r.cpu !== undefined) ? of((r) => r.cpu) : undefined,
    memory: own.some((r) => r.memory !== undefined) ? of((r) => r.memory) : undefined,
    overhead: (took - floor) / nodes / 1_000,
  };
}

function median(numbers: number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

function line({ name, lost, sent, p99, took, floor, cpu, memory }: Result): string {
  const cost = cpu === undefined ? "" : `, ${cpu.toFixed(2)} CPU s, ${mb(memory)} MB`;
  return `${name}: ${(took / 1_000).toFixed(2)} s (floor ${(floor / 1_000).toFixed(2)} s), lost ${lost} of ${sent}, p99 ${Math.round(p99)} ms${cost}`;
}

const mb = (bytes = 0): number => Math.round(bytes / 1024 / 1024);

const results: Result[] = [];
for (let i = 0; i < rounds; i += 1)
  for (const contender of contenders) {
    const result = await round(contender);
    results.push(result);
    process.stdout.write(`${i + 1}/${rounds} ${line(result)}\n`);
  }

const summaries = contenders.map(({ name }) => summaryOf(name, results));

const cells = summaries.map(({ name, lost, sent, p99, took, floor, cpu, memory, overhead }) => [
  name,
  `${lost} of ${sent}`,
  `${Math.round(p99)} ms`,
  `${(took / 1_000).toFixed(1)} s`,
  (took / floor).toFixed(2),
  `${overhead.toFixed(2)} s`,
  cpu === undefined ? "" : `${cpu.toFixed(2)} s`,
  memory === undefined ? "" : `${mb(memory)} MB`,
]);
const heads = [
  "",
  "requests lost",
  "p99",
  "total",
  "÷ floor",
  "a node beyond the floor",
  "CPU of the orchestrator",
  "its peak memory",
];
await writePart(
  ["<!-- measured: scripts/bench writes this -->", "<!-- measured, end -->"],
  [
    ...table([heads, ...cells]),
    "",
    `${rounds} rounds on ${whenAndWhere()}; medians, but for requests, which are sums.`,
    "",
    "![seconds a node beyond its own restart and boot](performance.svg)",
  ],
);
writeFileSync(join(docs, "performance.svg"), plot(summaries));
process.stdout.write(`docs/performance.md and docs/performance.svg are written\n`);

import { expect, test } from "vitest";
import type { StepName } from "../../src/events/events.ts";
import { reportCase } from "./cases.ts";
import { type Fault, faults, startFaulty, steps } from "./faults.ts";
import { startLoad } from "./load.ts";
import type { LoadReport } from "./load-report.ts";

const isFull = process.env["CHAOS"] === "full";

/** Few, for every day. */
const bounded: Record<Fault, StepName[]> = {
  "reload, with a state file": ["settle", "restart"],
  reload: ["upgrade"],
  freeze: ["drain"],
  crash: ["restart"],
};

/** Milliseconds: what a new worker does before it was told again, and the answer of what it sent astray. */
const astray = 1_000;

/** Two of them on any day, all with CHAOS=full. */
test.for(
  isFull ? faults : faults.filter((fault) => fault === "reload, with a state file" || fault === "crash"),
)("a balancer that has a %s at any step of a rotation", { timeout: 600_000 }, async (fault, { task }) => {
  await using faulty = await startFaulty(fault);
  await using load = await startLoad({ urls: faulty.urls, perSecond: 100, maxSeconds: 600 });
  const times: Span[] = [];
  for (const step of isFull ? steps : bounded[fault]) {
    const { deploy, from, to } = await faulty.deployWith(step);
    times.push({ from, to });
    if (fault === "freeze" || fault === "crash") continue;
    const told = deploy.events.filter((event) => event.type === "notice" && /told again/.test(event.text));
    if (fault === "reload" && ["settle", "upgrade", "restart", "check"].includes(step))
      expect(told.length, `${step}: ${deploy.stdout}`).toBeGreaterThan(0);
  }
  const report = await load.stop();
  const { sent, lost } = report;
  reportCase(task, `a balancer has a ${fault}, at ${(isFull ? steps : bounded[fault]).join(", ")}`, {
    sent,
    lost,
    ...(fault === "reload" ? { saw: "without a state file: what it forgets is told again" } : {}),
  });
  if (fault !== "reload") return expect(report).toMatchObject({ lost: 0, examples: [] });
  expect(unexplained(report, times)).toEqual([]);
  // A third of what one of two balancers gets in that time.
  expect(lost).toBeLessThanOrEqual(times.length * Math.ceil(((100 / 2 / 3) * astray) / 1_000));
});

interface Span {
  from: number;
  to: number;
}

/** Lost at another time than just after a reload. */
const unexplained = ({ examples }: LoadReport, times: Span[]): unknown[] =>
  examples.filter(({ at }) => {
    const [day] = new Date().toISOString().split("T");
    const sent = Date.parse(`${day}T${at}Z`);
    return !times.some(({ from, to }) => sent >= from - 100 && sent <= to + astray);
  });

import { expect, test } from "vitest";
import { metricsLines } from "../../src/board/metrics.ts";

const totals = {
  runs: [{ command: "deploy", outcome: "done", count: 2 }],
  rotations: [{ outcome: "back", count: 4 }],
  steps: [{ step: "settle", count: 4, seconds: 1.23456 }],
  holds: 1,
  overdue: 0,
  leftOut: 0,
  unfinished: 1,
  leasesLost: 3,
};

test("each number has its name, its help and its type; what was not seen is not told", () => {
  const lines = metricsLines("shop", totals);
  expect(lines).toContain('rota_runs_total{fleet="shop",command="deploy",outcome="done"} 2');
  expect(lines).toContain('rota_step_seconds_sum{fleet="shop",step="settle"} 1.235');
  expect(lines).toContain('rota_step_seconds_count{fleet="shop",step="settle"} 4');
  expect(lines).toContain("# TYPE rota_step_seconds summary");
  expect(lines).toContain('rota_leases_lost_total{fleet="shop"} 3');
  expect(lines.join("\n")).not.toContain("rota_backend");
});

test("a name can't break out of its label", () => {
  const [, , line] = metricsLines('a"} 1\nrota_holds{fleet="b\\', {
    ...totals,
    runs: [{ command: "deploy", outcome: "done", count: 1 }],
  });
  expect(line).toBe(
    String.raw`rota_runs_total{fleet="a\"} 1\nrota_holds{fleet=\"b\\",command="deploy",outcome="done"} 1`,
  );
});

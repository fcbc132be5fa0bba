import { expect, test } from "vitest";
import { runLine, runView } from "../../src/console/view.ts";
import type { WholeRun } from "../../src/rotation/records.ts";

const at = (second: number): Date => new Date(Date.UTC(2026, 10, 27, 0, 0, second));

const run: WholeRun = {
  run: "abc123",
  command: "deploy",
  fleet: "shop",
  by: "ann",
  reason: undefined,
  set: { RELEASE: "42" },
  sets: undefined,
  undoes: undefined,
  args: { inventory: "/home/ann/secret-place/shop.yml" },
  nodes: ["web1", "web2"],
  started: at(0),
  ended: undefined,
  outcome: undefined,
  message: undefined,
  steps: [
    { node: "web1", step: "drain", started: at(1), ended: at(2), ok: true, why: undefined },
    { node: "web2", step: "settle", started: at(3), ended: undefined, ok: undefined, why: undefined },
  ],
  trips: [{ node: "web1", ended: at(5), outcome: "out", why: "it does not start" }],
  outputs: [{ node: "web1", step: "upgrade", text: "all that was printed" }],
  deeds: [],
};

test("a run travels without how it was called and without what was printed", () => {
  const texts = JSON.stringify([runLine(run), runView(run)]);
  expect(texts).not.toContain("secret-place");
  expect(texts).not.toContain("all that was printed");
  expect(runLine(run).nodes).toBe(2);
  expect(runView(run, { seen: { web1: "drain: old", web2: "settle: 3 sessions" } }).nodes).toMatchObject([
    {
      name: "web1",
      saw: undefined,
      end: "out",
      why: "it does not start",
      steps: [{ step: "drain", ok: true }],
    },
    { name: "web2", saw: "3 sessions" },
  ]);
});

test("what a run saw in a step that is over is not shown with the next one", () => {
  const [, web2] = runView(run, { seen: { web2: "drain: told lb1" } }).nodes;
  expect(web2?.saw).toBeUndefined();
});

test.each([
  [{}, true, "under way"],
  [{}, false, "open"],
  [{ command: "drain" as const }, false, "open"],
  [{ ended: at(9), outcome: "failed" as const }, false, "open"],
  [{ ended: at(9), outcome: "interrupted" as const }, false, "open"],
  [{ ended: at(9), outcome: "failed" as const, command: "ready" as const }, false, "closed"],
  [{ ended: at(9), outcome: "done" as const }, false, "closed"],
  [{ ended: at(9), outcome: "aborted" as const }, false, "closed"],
])("%j, held: %s, is %s", (over, underWay, state) => {
  expect(runView({ ...run, ...over }, { underWay }).state).toBe(state);
});

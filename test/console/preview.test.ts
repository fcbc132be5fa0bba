import { expect, test } from "vitest";
import { previewOf } from "../../src/console/preview.ts";
import type { RunNodeView } from "../../src/console/view.ts";
import { fleetView, nodeView, runView } from "./parts.ts";

const fleet = fleetView(
  [
    nodeView("web1"),
    nodeView("web2"),
    nodeView("web3", { entries: [[0, "DRAIN", 0, 0, 0, 0]] }), // out already
  ],
  { capacity: [[2, 3]] },
);

const node = (name: string, over: Partial<RunNodeView> = {}): RunNodeView => ({
  name,
  steps: [],
  saw: undefined,
  end: undefined,
  why: undefined,
  ...over,
});
const step = { step: "settle" as const, started: "", ended: undefined, ok: undefined, why: undefined };
const run = runView({
  nodes: [
    node("web1", { end: "back", steps: [step] }),
    node("web2", { end: "out", why: "it does not start" }),
    node("web3", { steps: [step] }),
    node("web4", { steps: [{ ...step, step: "prepare" }] }),
  ],
});

test("what leaves is counted where it serves, and an empty backend cries", () => {
  const drain = (names: string[]): string[] =>
    previewOf({ do: "drain", nodes: names, reason: "x" }, { fleet, run: undefined, names });
  expect(drain(["web1"])).toEqual(["lb1/app: 2 of 3 serve now, 1 afterwards"]);
  expect(drain(["web3"])).toEqual(["lb1/app: 2 of 3 serve now, 2 afterwards"]);
  expect(drain(["web1", "web2"])).toEqual(["lb1/app: 2 of 3 serve now, 0 afterwards: NOBODY"]);
  const rotate = { do: "rotate" as const, nodes: ["@web"] };
  expect(previewOf(rotate, { fleet, run: undefined, names: ["web1", "web2", "web3"] })).toEqual([
    "one after another drained, restarted, proven and put back",
    "lb1/app: 2 of 3 serve now, 1 while one is out",
  ]);
});

test("what becomes of a run's nodes is named", () => {
  const seen = { fleet, run, names: [] };
  const now = "lb1/app: 2 of 3 serve now";
  expect(previewOf({ do: "pause" }, seen)).toEqual([
    "finished first: web3",
    "then 1 node more wait until somebody goes on",
    now,
  ]);
  expect(previewOf({ do: "resume", run: "abc123", retry: true }, seen)).toEqual([
    "tried again first: web2",
    "then: web3, web4",
    now,
  ]);
  expect(previewOf({ do: "resume", run: "abc123", skip: ["web2"] }, seen)).toEqual([
    "left out as it is: web2",
    "then: web3, web4",
    now,
  ]);
  expect(previewOf({ do: "abort", run: "abc123" }, seen)).toEqual([
    "stays out, and is held, unless it is proven: web2, web3",
    "not touched any more: web4",
    now,
  ]);
});

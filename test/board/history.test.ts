import { expect, test } from "vitest";
import { nodeLines, runLines, runsLines } from "../../src/board/history.ts";
import type { StepName } from "../../src/events/events.ts";
import type { StepRecord, WholeRun } from "../../src/rotation/records.ts";

const began = Date.parse("2026-01-02T03:04:05.000Z");
const at = (seconds: number): Date => new Date(began + seconds * 1_000);
const step = (
  node: string,
  name: StepName,
  from: number,
  to: number | undefined,
  ok?: boolean,
): StepRecord => ({
  node,
  step: name,
  started: at(from),
  ended: to === undefined ? undefined : at(to),
  ok: to === undefined ? undefined : (ok ?? true),
  why: ok === false ? "exit code 3" : undefined,
});

const run: WholeRun = {
  run: "7f3a1c",
  command: "deploy",
  fleet: "shop",
  by: "ann@here",
  reason: "new logo",
  set: { RELEASE: "42" },
  nodes: ["web1", "web2", "web3"],
  args: {},
  started: at(0),
  ended: undefined,
  outcome: undefined,
  message: undefined,
  steps: [
    step("web1", "settle", 0, 2),
    step("web1", "restart", 2, 8),
    step("web1", "ready", 8, 10),
    step("web2", "settle", 10, 12),
    step("web2", "upgrade", 12, undefined),
  ],
  trips: [{ node: "web1", ended: at(10), outcome: "back", why: undefined }],
  outputs: [{ node: "web2", step: "upgrade", text: "fetching\nunpacking" }],
  deeds: [],
};

test("the list has a line a run: when, what, how long, how it ended, who and why", () => {
  expect(runsLines([run], [], at(20))).toEqual([
    "run     when                  took  command                 nodes  ended       by",
    "7f3a1c  2026-01-02 03:04:05Z  20s   deploy shop RELEASE=42  3      unfinished  ann@here: new logo",
  ]);
  const [, ofOne] = runsLines([{ ...run, command: "drain", set: {}, nodes: ["web3"] }], [], at(20));
  expect(ofOne).toContain("drain shop  web3   unfinished");
  expect(runsLines([], [], at(0))).toEqual(["no run is in the journal yet"]);
});

test("what a run was given with --set moves no cursor", () => {
  const lines = [
    ...runsLines([{ ...run, set: { RELEASE: "\u001b[2J4\n2" } }], [], at(25)),
    ...runLines({ ...run, set: { RELEASE: "\u001b[2J4\n2" } }, at(25), 80),
  ];
  expect(lines.filter((line) => line.includes("RELEASE=[2J4\ufffd2"))).toHaveLength(2);
});

test("a run is a bar a node on one axis of time, and says where the unfinished one stands", () => {
  expect(runLines(run, at(20), 46)).toEqual([
    "run 7f3a1c: deploy shop RELEASE=42, by ann@here (new logo)",
    "  2026-01-02 03:04:05Z, 20s, unfinished",
    "",
    "  web1  back        10s ssrrrrrryy",
    "  web2  at upgrade   10s           ssuuuuuuuu",
    "  web3  no turn",
    "",
    "  v survey  d drain  s settle  u upgrade  r restart  c check  y ready",
  ]);
});

test("a node of a run is a bar a step, with all that its commands printed", () => {
  expect(nodeLines(run, "web2", at(20), 40)).toEqual([
    "run 7f3a1c: deploy shop RELEASE=42, by ann@here (new logo)",
    "  2026-01-02 03:04:05Z, 20s, unfinished",
    "",
    "web2: at upgrade",
    "  ✓ settle       2s  ████",
    "  ? upgrade      8s  ████████████████",
    "      fetching",
    "      unpacking",
  ]);
});

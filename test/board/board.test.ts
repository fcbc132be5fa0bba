import { expect, test } from "vitest";
import { board } from "../../src/board/board.ts";
import { plainLine } from "../../src/board/plain.ts";
import { reportLines } from "../../src/board/report.ts";
import type { Event, EventBody, WorkerNews } from "../../src/events/events.ts";
import { nothingYet, reduce, type RunState } from "../../src/events/state.ts";

const began = Date.parse("2026-01-02T03:04:05.000Z");
const event = (seconds: number, body: EventBody): Event => ({
  at: new Date(began + seconds * 1_000).toISOString(),
  ...body,
});

const started: EventBody = {
  type: "run started",
  run: "7f3a1c",
  command: "deploy",
  fleet: "shop",
  by: "ann@here",
  reason: undefined,
  set: { RELEASE: "42" },
  nodes: ["web1", "web2", "web3"],
  leftAlone: [{ node: "web9", why: "held by bob@there (disk)" }],
};

const trip: Event[] = [
  event(0, started),
  event(0, { type: "step started", node: "web1", step: "survey" }),
  event(0, { type: "step ended", node: "web1", step: "survey", ok: true, ms: 8 }),
  event(0, { type: "step started", node: "web1", step: "settle" }),
  event(1, { type: "waiting", node: "web1", step: "settle", saw: "3 sessions left (lb1: 3)" }),
  event(2, { type: "step ended", node: "web1", step: "settle", ok: true, ms: 2_000 }),
  event(3, { type: "node ended", node: "web1", end: "back", ms: 3_100, outMs: 3_000 }),
  event(3, { type: "step started", node: "web2", step: "settle" }),
  event(4, { type: "waiting", node: "web2", step: "settle", saw: "1 session left (lb2: 1)" }),
];

const stateOf = (events: Event[]): RunState => events.reduce(reduce, nothingYet());
const size = { width: 100, height: 24 };

test("the board shows who is back, who is on the way and what is waited for, and who is to come", () => {
  expect(board(stateOf(trip), began + 5_000, size)).toEqual([
    "rota deploy shop RELEASE=42  ·  █████░░░░░░░░░░░ 1 of 3  ·  5s  ·  run 7f3a1c",
    "",
    "  ✓ web1  back       3.1s  settle 2s",
    "  ▸ web2  settle       2s  1 session left (lb2: 1)",
    "  · web3                 ",
  ]);
});

test("a board that is too small shows those that move and those that failed, and counts the rest", () => {
  const nodes = Array.from({ length: 200 }, (_, i) => `web${i + 1}`);
  const ended = nodes
    .slice(0, 90)
    .map((node): Event =>
      event(1, { type: "node ended", node, end: node === "web7" ? "out" : "back", ms: 1, outMs: 1 }),
    );
  const events = [
    event(0, { ...started, nodes }),
    ...ended,
    event(2, { type: "step started", node: "web91", step: "check" }),
  ];
  const lines = board(stateOf(events), began + 3_000, { width: 60, height: 12 });
  expect(lines.length).toBeLessThanOrEqual(12);
  expect(lines.every((line) => line.length <= 60)).toBe(true);
  expect(lines.join("\n")).toMatch(/✗ web7 /);
  expect(lines.join("\n")).toMatch(/▸ web91 /);
  expect(lines.join("\n")).toMatch(/and 194 more, 89 done, 105 to come/);
});

test("the report says what the run came to, where the time went, and who was left alone", () => {
  const end: EventBody = { type: "run ended", run: "7f3a1c", end: "failed", ms: 61_000 };
  expect(reportLines(stateOf([...trip, event(61, end)]))).toEqual([
    "deploy shop: failed in 1m01s, 1 of 3 nodes (run 7f3a1c)",
    "  web1  back  out 3s  settle 2s",
    "  web9 left alone: held by bob@there (disk)",
  ]);
});

test("a pipe gets one line an event, with its time", () => {
  expect(trip.map(plainLine)).toEqual([
    "03:04:05Z run 7f3a1c: deploy shop, 3 nodes: web1 web2 web3",
    undefined,
    "03:04:05Z web1 survey done in 8ms",
    undefined,
    "03:04:06Z web1 settle: 3 sessions left (lb1: 3)",
    "03:04:07Z web1 settle done in 2s",
    "03:04:08Z web1 back, 3s out of rotation",
    undefined,
    "03:04:09Z web2 settle: 1 session left (lb2: 1)",
  ]);
});

const worker = (
  seconds: number,
  pid: number,
  state: WorkerNews["state"],
  more: Partial<WorkerNews> = {},
): Event => event(seconds, { type: "worker", node: "web1", step: "restart", pid, state, of: 4, ...more });

const rolling: Event[] = [
  event(0, started),
  event(0, { type: "step started", node: "web1", step: "restart" }),
  worker(0, 11, "booting", { isNew: true, sinceMs: 10 }),
  worker(1, 11, "ready", { isNew: true, sinceMs: 1_000, release: "/srv/app/releases/42" }),
  worker(1, 1, "leaving"),
  worker(2, 1, "gone"),
  worker(2, 12, "booting", { isNew: true, sinceMs: 20 }),
];

test("below the node in hand stand its workers: which are new, which boots, for how long", () => {
  const lines = board(stateOf(rolling), began + 3_200, size);
  expect(lines[3]).toBe("    workers ●◐○○○ 1 of 4 new · 12 booting 1.2s");
  const after = stateOf([
    ...rolling,
    event(4, { type: "step ended", node: "web1", step: "restart", ok: true, ms: 4 }),
  ]);
  expect(board(after, began + 5_000, size).join("\n")).not.toContain("workers");
});

test("a worker that failed, and the way back, can be told without colours; many workers on a narrow board are counted", () => {
  const failed = [...rolling, worker(3, 12, "failed", { isNew: true, sinceMs: 900 })];
  expect(board(stateOf(failed), began + 3_200, size)[3]).toBe("    workers ●✗○○○ 1 of 4 new · 12 FAILED");
  const back = [...failed, worker(4, 13, "booting", { isNew: true, sinceMs: 10, goesBack: true })];
  expect(board(stateOf(back), began + 5_000, size)[3]).toBe(
    "    workers ◐ back to the old release · 13 booting 1s",
  );
  const many = stateOf(rolling.map((one) => (one.type === "worker" ? { ...one, of: 64 } : one)));
  const narrow = board(many, began + 3_200, { width: 60, height: 24 });
  expect(narrow[3]).toBe("    workers 1 of 64 new · 12 booting 1.2s");
  for (const line of board(many, began + 3_200, { width: 20, height: 5 }))
    expect(line.length).toBeLessThanOrEqual(20);
});

test("a log has a line for each thing that becomes of a worker", () => {
  expect(rolling.slice(2).map((one) => plainLine(one)?.slice(10))).toEqual([
    "web1 restart | worker 11 booting 10ms after its start",
    "web1 restart | worker 11 ready 1s after its start, runs /srv/app/releases/42",
    "web1 restart | worker 1 ending",
    "web1 restart | worker 1 ended",
    "web1 restart | worker 12 booting 20ms after its start",
  ]);
});

test("an event of one node of many does not copy the others", () => {
  const state = stateOf(trip);
  const next = reduce(state, event(5, { type: "waiting", node: "web2", step: "settle", saw: "idle" }));
  expect(next.nodes).toBe(state.nodes);
  expect(next.nodes.get("web2")?.saw).toBe("idle");
});

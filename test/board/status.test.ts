import { expect, test } from "vitest";
import type { FleetStatus, NodeStatus } from "../../src/board/fleet-status.ts";
import { overdueLines } from "../../src/board/overdue.ts";
import { statusChanges } from "../../src/board/status-changes.ts";
import { statusLines } from "../../src/board/status.ts";
import type { Backend, Entry } from "../../src/rotation/ports.ts";
import type { Absence } from "../../src/rotation/records.ts";

const now = new Date("2026-01-02T03:04:05.000Z");
const ago = (seconds: number): Date => new Date(now.getTime() - seconds * 1_000);

const entry = (over: Partial<Entry> = {}): Entry => ({
  balancer: "lb1",
  backend: "app",
  server: "web1",
  admin: "ready",
  weight: 1,
  initialWeight: 1,
  outBecause: undefined,
  status: "UP",
  lastCheck: "L7OK",
  sessions: 0,
  traffic: { perSecond: 0, errors: 0 },
  backup: false,
  checked: true,
  tracks: undefined,
  address: "10.0.0.1:8000",
  agent: undefined,
  ...over,
});

const node = (name: string, over: Partial<NodeStatus> = {}): NodeStatus => ({
  pool: "web",
  name,
  entries: [entry({ server: name }), entry({ server: name, balancer: "lb2" })],
  release: "42",
  absence: undefined,
  failure: undefined,
  step: undefined,
  wrong: undefined,
  ...over,
});

const hold: Absence = {
  node: "web2",
  kind: "hold",
  run: "7f3a1c",
  by: "bob@there",
  reason: "disk",
  since: ago(3_600),
  until: ago(60),
  found: [],
};

const down = { status: "DOWN", outBecause: "health", lastCheck: "L7STS 500" } as const;
const maint = { status: "MAINT", outBecause: "person" } as const;
const busy = { sessions: 12, traffic: { perSecond: 340, errors: 0 } };

const backend = (balancer: string): Backend => ({
  balancer,
  backend: "app",
  servers: 3,
  serving: 1,
  backups: 0,
  weight: undefined,
  absent: [],
});

const shop = (over: Partial<FleetStatus> = {}): FleetStatus => ({
  fleet: "shop",
  nodes: [
    node("web1", { entries: [entry(busy), entry({ balancer: "lb2", sessions: 3 })] }),
    node("web2", {
      entries: [entry({ server: "web2", ...maint }), entry({ server: "web2", balancer: "lb2", ...maint })],
      absence: hold,
    }),
    node("web3", {
      release: "41",
      entries: [
        entry({ server: "web3", ...down, traffic: { perSecond: 0, errors: 12_345 } }),
        entry({ server: "web3", balancer: "lb2", weight: 5 }),
      ],
    }),
  ],
  backends: [backend("lb1"), backend("lb2")],
  lease: undefined,
  unfinished: [],
  problems: [],
  drift: [],
  ...over,
});

test("status is a table of nodes and balancers, with what a person wants to see of each", () => {
  expect(statusLines(shop(), now)).toEqual([
    "! web2 is held 1m past its time (by bob@there, disk): rota ready web2, or rota drain web2 --for 1h",
    "shop: lb1/app 1 of 3 serving, lb2/app 1 of 3 serving",
    "",
    "                 lb1/app                  lb2/app",
    "  node  release  state  sess  req/s  err  state     sess  req/s  err",
    "✓ web1  42       UP       12    340    0  UP w1        3      0    0",
    "◌ web2  42       MAINT     0      0    0  MAINT w1     0      0    0  held by bob@there for 1h, OVERDUE since 2026-01-02 03:03Z: disk",
    "✗ web3  41       DOWN      0      0  12k  UP w5        0      0    0  L7STS 500",
  ]);
});

test("a narrow terminal has one line a node for all balancers together", () => {
  expect(statusLines(shop(), now, { width: 60 }).slice(3)).toEqual([
    "  node  release  in   state  sess  req/s  err",
    "✓ web1  42       2/2  UP       15    340    0",
    "◌ web2  42       0/2  MAINT     0      0    0  held by bob@there for 1h, OVERDUE since 2026-01-02 03:03Z: disk",
    "✗ web3  41       1/2  DOWN      0      0  12k  L7STS 500",
  ]);
});

test("first of all comes a node that should be out and is served, then what else is wrong", () => {
  const status = shop({
    nodes: [node("web1", { wrong: "should be out and is IN ROTATION" })],
    problems: ["lb3: nothing listens at /run/lb3.sock; is HAProxy running?"],
    drift: ["web runs more than one release: 42 (2), 41 (web3)"],
    unfinished: ["run 7f3a1c (deploy, by ann@here) is not finished: 1 done; web2 was at restart"],
    lease: "ann@here (pid 7 on laptop), rota deploy, for 3s",
  });
  expect(statusLines(status, now, undefined, undefined, " -i shop.yml").slice(0, 7)).toEqual([
    "! web1 should be out and is IN ROTATION: rota drain web1 -i shop.yml, or rota ready web1 -i shop.yml if it is well",
    "! lb3: nothing listens at /run/lb3.sock; is HAProxy running?",
    "~ web runs more than one release: 42 (2), 41 (web3)",
    "shop: lb1/app 1 of 3 serving, lb2/app 1 of 3 serving",
    "run 7f3a1c (deploy, by ann@here) is not finished: 1 done; web2 was at restart",
    "being changed by ann@here (pid 7 on laptop), rota deploy, for 3s",
    "",
  ]);
});

test("many things that are wrong do not push each other out of a picture", () => {
  const problems = Array.from({ length: 50 }, (_, i) => `lb1: no backend has a server web${i}`);
  const lines = statusLines(shop({ problems }), now, { width: 100, height: 20 });
  expect(lines.length).toBeLessThanOrEqual(20);
  expect(lines[9]).toMatch(/^! and \d+ more; rota status has each$/);
  expect(lines.join("\n")).toContain("web1");
  expect(statusLines(shop({ problems }), now).filter((line) => line.startsWith("! lb1"))).toHaveLength(50);
});

test("a picture of a given height has no line that is wider, and the nodes that serve give way first", () => {
  const nodes = Array.from({ length: 200 }, (_, i) => node(`web${i + 1}`));
  nodes[150] = node("web151", {
    absence: { ...hold, node: "web151", until: undefined, reason: "x".repeat(99) },
  });
  const lines = statusLines(shop({ nodes }), now, { width: 100, height: 20 });
  expect(lines.length).toBeLessThanOrEqual(20);
  expect(lines.every(({ length }) => length <= 100)).toBe(true);
  expect(lines.join("\n")).toContain("◌ web151");
  expect(lines.at(-1)).toMatch(/^ {2}and 1\d\d more nodes, all serving$/);
});

test("nodes that a run has in hand say at which step, and those that are nowhere say so", () => {
  const nodes = [node("web1", { step: "settle" }), node("web2", { entries: [], release: undefined })];
  const lines = statusLines(shop({ nodes }), now);
  expect(lines.at(-2)).toMatch(/^✓ web1 .* in hand: settle$/);
  expect(lines.at(-1)).toMatch(/^\? web2 +- +-$/);
});

test("what changed between two looks is a line each", () => {
  const before = shop({ lease: "ann@here (pid 7 on laptop), rota deploy, for 3s" });
  expect(statusChanges(before, shop({ lease: "ann@here (pid 7 on laptop), rota deploy, for 4s" }))).toEqual(
    [],
  );
  const nodes = [
    node("web1", { entries: [entry({ status: "DRAIN" }), entry({ balancer: "lb2" })], step: "settle" }),
    ...before.nodes.slice(1),
  ];
  const problems = ["lb2: nothing listens"];
  expect(statusChanges(before, shop({ nodes, problems }))).toEqual([
    "web1 lb1/app: UP → DRAIN",
    "web1 in hand: settle",
    "! lb2: nothing listens",
    "no longer being changed",
  ]);
});

test("only holds that are past their time are overdue", () => {
  const later = { ...hold, until: new Date(now.getTime() + 1_000) };
  const { until: _, ...open } = hold;
  expect(overdueLines([later, { ...open, until: undefined }, { ...hold, kind: "run" }], now, "")).toEqual([]);
  expect(overdueLines([hold], now, "")).toHaveLength(1);
});

import { expect, test } from "vitest";
import { type ServerRow, type ServerState, admin } from "../../src/balancer/answers.ts";
import { backendsOf, entriesOf, heldOut, tookState } from "../../src/balancer/reading.ts";

const state = (more: Partial<ServerState> = {}): ServerState => ({
  backend: "app",
  backendId: 3,
  server: "web1",
  serverId: 1,
  operational: 2,
  admin: 0,
  weight: 1,
  initialWeight: 1,
  checked: true,
  agent: false,
  agentBusy: false,
  address: "10.0.0.1",
  port: 8_000,
  ...more,
});

const row = (more: Partial<ServerRow> = {}): ServerRow => ({
  backend: "app",
  server: "web1",
  status: "UP",
  backup: false,
  sessions: 3,
  traffic: { perSecond: 2, errors: 1 },
  tracks: "",
  lastCheck: "L7OK",
  ...more,
});

const cmaint = 0x04;
const fqdn = 0x40;

test.each<[string, Partial<ServerState>, "person" | "health" | undefined]>([
  ["up", {}, undefined],
  ["in slow start", { operational: 1 }, undefined],
  ["once disabled in the configuration, and named by DNS", { admin: cmaint | fqdn }, undefined],
  ["down", { operational: 0 }, "health"],
  ["without an address", { operational: 0, admin: admin.unresolved }, "health"],
  ["drained", { admin: admin.drain }, "person"],
  ["drained and down", { operational: 0, admin: admin.drain }, "person"],
  ["in maint", { operational: 0, admin: admin.maint }, "person"],
  ["in maint through another", { operational: 0, admin: admin.maintInherited }, "person"],
  ["drained through another", { admin: admin.drainInherited }, "person"],
  ["of weight 0", { weight: 0 }, "person"],
  ["answering 404", { operational: 3 }, "person"],
])("a server that is %s", (_, change, because) => {
  expect(entriesOf("lb1", [state(change)], [row()])[0]?.outBecause).toBe(because);
});

test("an entry joins both answers by name", () => {
  const states = [
    state({ admin: admin.drain }),
    state({ backend: "api", weight: 7 }),
    state({ server: "gone" }),
  ];
  const rows = [row({ backend: "api", tracks: "app/web1", backup: true }), row({ status: "DRAIN" })];
  expect(entriesOf("lb1", states, rows)).toMatchObject([
    { balancer: "lb1", backend: "app", admin: "drain", status: "DRAIN", checked: true, tracks: undefined },
    { backend: "api", admin: "ready", weight: 7, backup: true, checked: false, tracks: "app/web1" },
  ]);
});

test("what a server inherits is not its own admin state", () => {
  const [entry] = entriesOf("lb1", [state({ admin: admin.maintInherited })], [row()]);
  expect(entry).toMatchObject({ admin: "ready", outBecause: "person" });
});

test("a backend counts its servers without backups, and names who is absent", () => {
  const states = [state(), state({ server: "web2", operational: 0 }), state({ server: "spare" })];
  const rows = [row(), row({ server: "web2", status: "DOWN" }), row({ server: "spare", backup: true })];
  const totals = [
    { backend: "app", serving: 1, backups: 1 },
    { backend: "empty", serving: 0, backups: 0 },
  ];
  expect(backendsOf("lb1", entriesOf("lb1", states, rows), totals)).toEqual([
    {
      balancer: "lb1",
      backend: "app",
      servers: 2,
      serving: 1,
      backups: 1,
      weight: undefined,
      absent: [
        { balancer: "lb1", backend: "app", server: "web2", status: "DOWN", weight: 1, outBecause: "health" },
      ],
    },
  ]);
});

test("weights are summed where they differ, and a server that somebody set to 0 is one that is out", () => {
  const weightOf = (...weights: [weight: number, initial: number, change?: Partial<ServerState>][]) => {
    const states = weights.map(([weight, initialWeight, change], i) =>
      state({ server: `web${i}`, weight, initialWeight, ...change }),
    );
    const rows = states.map(({ server }) => row({ server }));
    const totals = [{ backend: "app", serving: 1, backups: 0 }];
    return backendsOf("lb1", entriesOf("lb1", states, rows), totals)[0]?.weight;
  };
  expect(weightOf([7, 7], [7, 7])).toBeUndefined();
  expect(weightOf([7, 7], [0, 7])).toBeUndefined();
  expect(weightOf([10, 1], [30, 30])).toEqual({ whole: 40, serving: 40 });
  expect(weightOf([10, 10], [0, 30])).toEqual({ whole: 40, serving: 10 });
  expect(weightOf([10, 10], [30, 30, { operational: 0 }])).toEqual({ whole: 40, serving: 10 });
  expect(weightOf([10, 10], [30, 30], [0, 0])).toEqual({ whole: 40, serving: 40 });
});

test.each([
  ["10.0.0.1", 8_000, "10.0.0.1:8000"],
  ["::1", 8_000, "[::1]:8000"],
  ["-", 8_000, undefined],
  ["/run/app.sock", 0, undefined],
  ["10.0.0.1", 0, undefined],
])("the address %s with the port %i is %s", (address, port, expected) => {
  expect(entriesOf("lb1", [state({ address, port })], [row()])[0]?.address).toBe(expected);
});

test("whoever tracks a server that is out has taken the state over, but never the way back", () => {
  const follower = state({ admin: admin.maintInherited });
  expect(tookState(follower, "drain")).toBe(true);
  expect(tookState(follower, "maint")).toBe(true);
  expect(tookState(state({ admin: admin.drain | admin.drainInherited }), "ready")).toBe(false);
  expect(tookState(state(), "drain")).toBe(false);
  expect(tookState(state({ admin: admin.maint }), "drain")).toBe(false);
});

test("neither a failing check nor a lost address holds a server out", () => {
  expect(heldOut(state({ operational: 0 }))).toBe(false);
  expect(heldOut(state({ operational: 0, admin: admin.unresolved }))).toBe(false);
  expect(heldOut(state({ operational: 0, admin: admin.drain }))).toBe(true);
});

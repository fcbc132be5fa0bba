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
  checked: true,
  ...more,
});

const row = (more: Partial<ServerRow> = {}): ServerRow => ({
  backend: "app",
  server: "web1",
  status: "UP",
  backup: false,
  sessions: 3,
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
    { balancer: "lb1", backend: "app", servers: 2, serving: 1, backups: 1, absent: ["web2 DOWN"] },
  ]);
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

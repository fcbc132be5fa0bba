import { expect, test } from "vitest";
import { haproxies } from "../../src/balancer/balancers.ts";
import type { RotaError } from "../../src/base/errors.ts";
import type { Balancers, Place } from "../../src/rotation/ports.ts";
import { type FakeHaproxy, type FakeHaproxyOptions, fakeHaproxy } from "../fakes/haproxy.ts";

interface Site extends AsyncDisposable {
  balancers: Balancers;
  lb1: FakeHaproxy;
  lb2: FakeHaproxy;
}

/** Two balancers, one on each kind of socket. */
async function twoBalancers(options: Partial<FakeHaproxyOptions> = {}, reply = 5_000): Promise<Site> {
  const backends = { app: ["web1", "web2"] };
  const [lb1, lb2] = await Promise.all([
    fakeHaproxy({ backends, kind: "unix", ...options }),
    fakeHaproxy({ backends, kind: "tcp", ...options }),
  ]);
  const list = [
    { name: "lb1", socket: lb1.address },
    { name: "lb2", socket: lb2.address },
  ];
  return {
    lb1,
    lb2,
    balancers: haproxies(list, { connect: 5_000, reply }),
    async [Symbol.asyncDispose]() {
      await Promise.all([lb1[Symbol.asyncDispose](), lb2[Symbol.asyncDispose]()]);
    },
  };
}

const place = (balancer: string, server = "web1", backend = "app"): Place => ({ balancer, backend, server });
const everywhere = [place("lb1"), place("lb2")];

const failure = (acting: Promise<unknown>): Promise<RotaError> =>
  acting.then(
    () => expect.unreachable("it did not fail"),
    (thrown: RotaError) => thrown,
  );

test("a survey shows every server of every balancer, and the totals of each backend", async () => {
  await using site = await twoBalancers();
  const { lb1, lb2 } = site;
  lb1.server("app", "web2").weight = 0;
  Object.assign(lb2.server("app", "web2"), {
    passes: false,
    operational: 0,
    health: 0,
    lastCheck: "refused",
  });
  const { entries, backends, unread } = await site.balancers.survey("change");
  expect(unread).toEqual([]);
  expect(entries).toMatchObject([
    { ...place("lb1"), admin: "ready", status: "UP", outBecause: undefined, checked: true },
    { ...place("lb1", "web2"), weight: 0, outBecause: "person" },
    place("lb2"),
    { ...place("lb2", "web2"), status: "DOWN", outBecause: "health", lastCheck: "L7STS refused" },
  ]);
  const counted = { backend: "app", servers: 2, serving: 1, backups: 0, weight: undefined };
  expect(backends).toMatchObject([
    {
      balancer: "lb1",
      ...counted,
      absent: [{ server: "web2", status: "UP", weight: 0, outBecause: "person" }],
    },
    { balancer: "lb2", ...counted, absent: [{ server: "web2", status: "DOWN", outBecause: "health" }] },
  ]);
});

test("a survey lists every balancer that can't be read, beside what the others show", async () => {
  await using site = await twoBalancers();
  site.lb1.always("close");
  const { entries, unread } = await site.balancers.survey("read");
  expect(entries.map(({ balancer }) => balancer)).toEqual(["lb2", "lb2"]);
  expect(unread).toMatchObject([{ balancer: "lb1", error: { code: "BALANCER_UNREACHABLE" } }]);
});

test("a socket without the rights to drain is named with the line that gives them", async () => {
  await using site = await twoBalancers({ level: "operator" });
  const { unread } = await site.balancers.survey("change");
  expect(unread.map(({ error }) => [error.code, error.message])).toEqual([
    [
      "BALANCER_RIGHTS",
      expect.stringMatching(/^lb1: .*level operator.*"stats socket \/.*admin\.sock level admin"$/),
    ],
    ["BALANCER_RIGHTS", expect.stringMatching(/^lb2: .*"stats socket ipv4@127\.0\.0\.1:\d+ level admin"$/)],
  ]);
  expect((await site.balancers.survey("read")).entries).toHaveLength(4);
  const error = await failure(site.balancers.set([place("lb1")], "drain"));
  expect(error).toMatchObject({ code: "BALANCER_RIGHTS" });
});

test("a state is set on every balancer at once, also where another does not answer", async () => {
  await using site = await twoBalancers({}, 300);
  site.lb1.always("hang");
  const started = performance.now();
  const error = await failure(site.balancers.set(everywhere, "drain"));
  expect(error).toMatchObject({
    code: "BALANCER_UNREACHABLE",
    message: "lb1: no whole answer within 300 ms",
  });
  expect(performance.now() - started).toBeLessThan(2_000);
  expect(site.lb2.stateOf("app", "web1")).toBe("drain");
});

test("what is set is read back on the same line, by the same worker", async () => {
  await using site = await twoBalancers();
  await site.balancers.set(everywhere, "maint");
  expect(site.lb1.stateOf("app", "web1")).toBe("maint");
  expect(site.lb2.lines).toEqual(["show info;set server app/web1 state maint;show servers state app"]);
});

test("a server that says done and does nothing is found out", async () => {
  await using site = await twoBalancers();
  site.lb2.server("app", "web1").ignoresState = true;
  const error = await failure(site.balancers.set(everywhere, "drain"));
  expect(error).toMatchObject({
    code: "BALANCER_ANSWER",
    message: "lb2: app/web1 was told drain and is ready",
  });
  expect(site.lb1.stateOf("app", "web1")).toBe("drain");
});

test("one error lists each balancer that failed, and what waiting won't mend gives it its code", async () => {
  await using site = await twoBalancers();
  site.lb1.always("close");
  site.lb2.removeServer("app", "web1");
  const error = await failure(site.balancers.set(everywhere, "drain"));
  expect(error.code).toBe("SERVER_MISSING");
  expect(error.message.split("\n")).toEqual([
    "lb1: the connection was closed without an answer, so nothing was done",
    'lb2: no such server: HAProxy answers "No such server." to "set server app/web1 state drain"',
  ]);
});

test("a place on a balancer that the inventory no longer has is not passed over in silence", async () => {
  await using site = await twoBalancers();
  const error = await failure(site.balancers.set([place("lb9"), place("lb1")], "ready"));
  expect(error).toMatchObject({ code: "SERVER_MISSING" });
  expect(error.message).toBe("lb9: there is no such balancer in the inventory any more, and it had app/web1");
});

test("answers come in the order of the places", async () => {
  await using site = await twoBalancers();
  const asked = [place("lb2", "web2"), place("lb1"), place("lb2"), place("lb1", "web2")];
  expect(await site.balancers.watch(asked)).toMatchObject(asked);
  expect(await site.balancers.look(asked)).toMatchObject(asked);
});

test("watching asks about these servers only, and tells sessions, queue and requests", async () => {
  await using site = await twoBalancers();
  await site.balancers.set(everywhere, "drain");
  const seen = { sessions: 2, queued: 1, total: 40, retries: 3, failedConnections: 1 };
  Object.assign(site.lb1.server("app", "web1"), seen);
  const [first, second] = await site.balancers.watch(everywhere);
  expect(first).toEqual({
    ...place("lb1"),
    process: site.lb1.pid,
    out: true,
    status: "DRAIN",
    sessions: 2,
    queued: 1,
    total: 40,
    retried: 4,
    health: { now: 3, full: 3, fall: 2 },
  });
  expect(second).toMatchObject({ ...place("lb2"), process: site.lb2.pid, sessions: 0 });
  expect(site.lb1.lines.at(-1)).toBe("show info;show stat 1 4 1");
});

test("after a reload the new worker's numbers are learned, and its forgetting is seen", async () => {
  await using site = await twoBalancers();
  await site.balancers.set(everywhere, "drain");
  const before = await site.balancers.watch(everywhere);
  site.lb1.reload();
  const after = await site.balancers.watch(everywhere);
  expect(before.map(({ out }) => out)).toEqual([true, true]);
  expect(after.map(({ out }) => out)).toEqual([false, true]);
  expect(after[0]?.process).not.toBe(before[0]?.process);
  expect(await site.balancers.look(everywhere)).toMatchObject([{ admin: "ready" }, { admin: "drain" }]);
  expect(await site.balancers.capacity(everywhere)).toMatchObject([{ serving: 2 }, { serving: 1 }]);
});

test("after a reload a backend is never counted by another one's number", async () => {
  await using site = await twoBalancers({ backends: { app: ["web1", "web2"], api: ["web1"] } });
  await site.balancers.look(everywhere);
  site.lb1.reload();
  expect(await site.balancers.capacity(everywhere)).toMatchObject([{ servers: 2 }, { servers: 2 }]);
  site.lb1.reload();
  expect(await site.balancers.look(everywhere)).toMatchObject(everywhere);
});

test("a server that is down is out only if it is held out: a reload may have left nothing but a failing check", async () => {
  await using site = await twoBalancers({ autoCheck: false });
  await site.balancers.set(everywhere, "drain");
  Object.assign(site.lb1.server("app", "web1"), { operational: 0, health: 0 });
  expect((await site.balancers.watch(everywhere))[0]).toMatchObject({ status: "DOWN", out: true });
  site.lb1.reload();
  Object.assign(site.lb1.server("app", "web1"), { operational: 0, health: 0 });
  expect((await site.balancers.watch(everywhere))[0]).toMatchObject({ status: "DOWN", out: false });
});

test.each([
  [3, "NOLB"],
  [2, "UP"],
])(
  "a server whose operational state is %i and that nobody drained is not out",
  async (operational, status) => {
    await using site = await twoBalancers({ autoCheck: false });
    site.lb1.server("app", "web1").operational = operational;
    expect(await site.balancers.watch([place("lb1")])).toMatchObject([{ status, out: false }]);
  },
);

test("a drained server that answers 404 is out", async () => {
  await using site = await twoBalancers({ autoCheck: false });
  Object.assign(site.lb1.server("app", "web1"), { operational: 3, admin: 8 });
  expect(await site.balancers.watch([place("lb1")])).toMatchObject([{ status: "NOLB", out: true }]);
});

test("a server without an address is out only if it is held out", async () => {
  await using site = await twoBalancers({ autoCheck: false });
  const server = site.lb1.server("app", "web1");
  server.admin = 0x20;
  expect(await site.balancers.watch([place("lb1")])).toMatchObject([
    { status: "MAINT (resolution)", out: false },
  ]);
  server.admin = 0x28;
  expect(await site.balancers.watch([place("lb1")])).toMatchObject([{ out: true }]);
});

test("an old worker that answers once during a reload is asked past", async () => {
  await using site = await twoBalancers();
  site.lb1.reload();
  site.lb1.next("old worker");
  await site.balancers.set(everywhere, "drain");
  expect(site.lb1.stateOf("app", "web1")).toBe("drain");
  site.lb1.next("old worker");
  expect(await site.balancers.watch(everywhere)).toMatchObject([{ process: site.lb1.pid }, {}]);
});

test("where only an old worker answers, the balancer counts as unreachable", async () => {
  await using site = await twoBalancers();
  site.lb1.always("old worker");
  for (const ask of ["watch", "look"] as const) {
    expect(await failure(site.balancers[ask](everywhere))).toMatchObject({
      code: "BALANCER_UNREACHABLE",
      message: "lb1: only a worker that is stopping answers; HAProxy is being reloaded or stopped",
    });
  }
});

test("a server that left the configuration is named", async () => {
  await using site = await twoBalancers();
  await site.balancers.watch(everywhere);
  site.lb1.removeServer("app", "web1");
  for (const ask of ["watch", "look"] as const) {
    expect(await failure(site.balancers[ask](everywhere))).toMatchObject({
      code: "SERVER_MISSING",
      message: expect.stringContaining("lb1: the backend app has no server web1"),
    });
  }
  expect(await failure(site.balancers.look([place("lb2", "web1", "nope")]))).toMatchObject({
    code: "SERVER_MISSING",
  });
});

test("a frontend with the backend's name is not taken for it", async () => {
  await using site = await twoBalancers({ frontends: ["app"] });
  await site.balancers.set(everywhere, "drain");
  expect(await site.balancers.look(everywhere)).toMatchObject([{ status: "DRAIN" }, { status: "DRAIN" }]);
  expect(await site.balancers.watch(everywhere)).toMatchObject([{ out: true }, { out: true }]);
  expect(await site.balancers.capacity(everywhere)).toMatchObject([
    { servers: 2, serving: 1 },
    { serving: 1 },
  ]);
});

test("a distrusted server is drained, and up again only after as many new checks as it takes to rise", async () => {
  await using site = await twoBalancers({ autoCheck: false });
  await site.balancers.distrust(everywhere);
  const look = async () => (await site.balancers.watch([place("lb1")]))[0];
  expect(await look()).toMatchObject({ status: "DOWN", out: true, health: { now: 0, full: 3 } });
  site.lb1.check();
  expect(await look()).toMatchObject({ status: "DOWN 1/2", out: true, health: { now: 1 } });
  site.lb1.check();
  expect(await look()).toMatchObject({ status: "DRAIN", out: true, health: { now: 3 } });
});

test("a server that tracks another takes its state over from there", async () => {
  await using site = await twoBalancers({ backends: { app: ["web1"], admin: ["web1"] } });
  Object.assign(site.lb1.server("admin", "web1"), { tracks: "app/web1", ignoresState: true });
  const both = [place("lb1"), place("lb1", "web1", "admin")];
  await site.balancers.set(both, "maint");
  expect(await site.balancers.look(both)).toMatchObject([
    { admin: "maint", checked: true, tracks: undefined },
    {
      admin: "ready",
      checked: false,
      tracks: "app/web1",
      status: "MAINT (via app/web1)",
      outBecause: "person",
    },
  ]);
  expect(await site.balancers.watch(both)).toMatchObject([{ out: true }, { out: true }]);
});

test("what is too long for one line is asked on several", async () => {
  const servers = Array.from({ length: 250 }, (_, i) => `web-${i}.shop.example.net:8000`);
  const backends = Object.fromEntries(servers.map((_, i) => [`be_shop_${i}`, servers.slice(i, i + 1)]));
  await using site = await twoBalancers({ backends });
  const places = servers.map((server, i) => place("lb1", server, `be_shop_${i}`));
  await site.balancers.set(places, "drain");
  expect(await site.balancers.watch(places)).toMatchObject(places.map((at) => ({ ...at, out: true })));
  expect(await site.balancers.look(places)).toMatchObject(places.map((at) => ({ ...at, admin: "drain" })));
  expect(await site.balancers.capacity(places)).toHaveLength(250);
  expect(Math.max(...site.lb1.lines.map((line) => line.length))).toBeLessThanOrEqual(8_192);
  expect(site.lb1.lines.length).toBeLessThan(30);
  expect(site.lb1.lines.every((line) => line.startsWith("show info;"))).toBe(true);
});

test("one question a balancer for all who wait, however many, and for all who are told the same", async () => {
  const servers = Array.from({ length: 300 }, (_, i) => `web${i + 1}`);
  await using lb1 = await fakeHaproxy({ backends: { app: servers }, kind: "unix" });
  await using balancers = haproxies([{ name: "lb1", socket: lb1.address }]);
  const some = servers.slice(0, 100).map((server) => place("lb1", server));
  await balancers.watch(some.slice(0, 1)); // its numbers are known then
  const linesOf = async (work: (at: Place) => Promise<unknown>): Promise<string[]> => {
    const before = lb1.lines.length;
    await Promise.all(some.map((at) => work(at)));
    return lb1.lines.slice(before);
  };
  expect(await linesOf((at) => balancers.watch([at]))).toHaveLength(1);
  const told = await linesOf((at) => balancers.set([at], "drain"));
  expect(told).toHaveLength(1);
  expect(told[0]?.match(/show servers state/g)).toHaveLength(1);
  expect(some.every(({ server }) => lb1.stateOf("app", server) === "drain")).toBe(true);
  // The rows of those that are asked about, not of all.
  const [looked = "", ...more] = await linesOf((at) => balancers.look([at]));
  expect(more).toEqual([]);
  expect(looked.match(/show stat/g)).toHaveLength(100);
  const entries = await balancers.look(some);
  expect(entries.map(({ server, admin }) => `${server} ${admin}`)).toEqual(
    some.map(({ server }) => `${server} drain`),
  );
});

test("who is told with others does not fail with them", async () => {
  await using site = await twoBalancers();
  site.lb1.server("app", "web2").ignoresState = true;
  const [good, bad, unknown] = await Promise.allSettled([
    site.balancers.set([place("lb1")], "drain"),
    site.balancers.set([place("lb1", "web2")], "drain"),
    site.balancers.look([place("lb1", "web9")]),
  ]);
  expect(good.status).toBe("fulfilled");
  expect(bad).toMatchObject({ reason: { code: "BALANCER_ANSWER" } });
  expect(unknown).toMatchObject({ reason: { code: "SERVER_MISSING" } });
  expect(site.lb1.stateOf("app", "web1")).toBe("drain");
});

import { expect, test } from "vitest";
import { fakeSite, type FakeSite } from "../fakes/site.ts";

const deploy = (site: FakeSite, release: string, ...words: string[]) =>
  site.rota("deploy", ...words, "--set", `RELEASE=${release}`);

const drain = (site: FakeSite, node: string, ...words: string[]) =>
  site.rota("drain", node, "--reason", "disk swap", ...words);

async function absencesOf(site: FakeSite) {
  await using journal = await site.journal();
  return await journal.absences("fake");
}

const readyTold = (site: FakeSite, node: string): string[] =>
  site.told(node).filter((line) => line.endsWith(" ready"));

test.concurrent("a drain needs a reason: without one it says the command to type", async () => {
  await using site = await fakeSite();
  for (const words of [[], ["--reason", "  "]]) {
    const { code, err } = await site.rota("drain", "web1", "--for", "30m", ...words);
    expect(code).toBe(2);
    expect(err).toContain("rota: a drain needs a reason");
    expect(err).toMatch(/next: {2}rota drain web1 -i \S+ --for 30m --reason "disk swap"$/);
  }
  expect(site.told("web1")).toEqual([]);
});

test.concurrent("a drain is told on every balancer, settles, and is held: who, why, until", async () => {
  await using site = await fakeSite({ backends: ["app", "admin"] });
  const web1 = site.balancer("lb2").server("app", "web1");
  web1.sessions = 1;
  site.whenWaiting("web1", /1 session left \(lb2: 1\)/, () => (web1.sessions = 0));
  const { code, err, events } = await drain(site, "web1", "--for", "30m", "--json");
  expect(code, err).toBe(0);
  expect(site.stateOf("web1")).toBe("drain");
  expect(site.told("web1")).toHaveLength(4);
  const ended = events.find((event) => event.type === "node ended");
  expect(ended).toMatchObject({ node: "web1", end: "kept out" });
  const absence = (await absencesOf(site)).get("web1");
  expect(absence).toMatchObject({ kind: "hold", reason: "disk swap" });
  expect(absence?.by).toMatch(/.+@.+/);
  const meant = (absence?.until?.getTime() ?? 0) - (absence?.since.getTime() ?? 0);
  expect(meant).toBeGreaterThan(29 * 60_000);
  expect(meant).toBeLessThanOrEqual(30 * 60_000);
});

test.concurrent("a drain and a return do not need the host", async () => {
  await using site = await fakeSite();
  await site.host("web1")[Symbol.asyncDispose]();
  expect((await drain(site, "web1")).code).toBe(0);
  const { code, err } = await site.rota("ready", "web1");
  expect(code, err).toBe(0);
  expect(site.stateOf("web1")).toBe("ready");
});

test.concurrent("a drain whose sessions do not end goes back as found and holds nothing", async () => {
  await using site = await fakeSite({ pool: { drain: { within: "300ms" } } });
  site.balancer("lb1").server("app", "web1").sessions = 1;
  const { code, err } = await drain(site, "web1");
  expect(code).toBe(1);
  expect(err).toContain("left:  web1 is as it was found");
  expect(err).toMatch(
    /next: {2}give drain\.within more time, .*drain\.at_limit.*; then: rota resume \w+ -i \S+$/,
  );
  expect(site.stateOf("web1")).toBe("ready");
  expect(await absencesOf(site)).toEqual(new Map());
});

test.concurrent(
  "status shows the hold, then that it is OVERDUE, and first of all a held node that serves",
  async () => {
    await using site = await fakeSite();
    expect((await drain(site, "web1", "--for", "30m")).code).toBe(0);
    const held = await site.rota("status");
    expect(held.code).toBe(0);
    expect(held.out).toMatch(
      /\n◌ web1 +DRAIN +0 +0 +0 +DRAIN +0 +0 +0 +held by \S+ for \S+, until .*Z: disk swap/,
    );
    {
      await using journal = await site.journal();
      const absence = (await journal.absences("fake")).get("web1");
      if (!absence) throw new Error("web1 is not held");
      await journal.takenOut("fake", { ...absence, until: new Date("2020-01-02T03:04:05Z") });
    }
    expect((await site.rota("status")).out).toContain(", OVERDUE since 2020-01-02 03:04Z: disk swap");
    site.balancer("lb2").reload();
    const { out } = await site.rota("status");
    expect(out.split("\n")[0]).toMatch(
      /^! web1 should be out and is IN ROTATION: rota drain web1 -i \S+, or rota ready/,
    );
  },
);

test.concurrent(
  "what status says to type works: a drain of a held node tells it again, and keeps its reason",
  async () => {
    await using site = await fakeSite();
    expect((await drain(site, "web1")).code).toBe(0);
    const before = await absencesOf(site);
    site.balancer("lb2").reload();
    const { code, err } = await site.rota("drain", "web1");
    expect(code, err).toBe(0);
    expect(site.stateOf("web1")).toBe("drain");
    expect(await absencesOf(site)).toEqual(before);
    // With something new to say, it is the new hold that counts, and the old state that it goes back to.
    expect((await site.rota("drain", "web1", "--for", "1h")).code).toBe(0);
    const longer = (await absencesOf(site)).get("web1");
    expect(longer).toMatchObject({ reason: "disk swap", found: before.get("web1")?.found });
    expect(longer?.until).toBeInstanceOf(Date);
  },
);

test.concurrent(
  "a node that was drained at the socket in part is held where it still serves, and left so there",
  async () => {
    await using site = await fakeSite();
    site.balancer("lb1").server("app", "web1").admin = 1;
    const { code, err } = await drain(site, "web1");
    expect(code, err).toBe(0);
    expect(site.balancer("lb1").stateOf("app", "web1")).toBe("maint");
    expect(site.balancer("lb2").stateOf("app", "web1")).toBe("drain");
    expect((await absencesOf(site)).get("web1")).toMatchObject({
      kind: "hold",
      found: [
        { balancer: "lb1", admin: "maint" },
        { balancer: "lb2", admin: "ready" },
      ],
    });
  },
);

test.concurrent("a node that somebody else took out everywhere is theirs", async () => {
  await using site = await fakeSite();
  for (const lb of site.balancers) lb.server("app", "web1").admin = 8;
  const { code, out } = await drain(site, "web1");
  expect(code).toBe(3); // who named it must not take it for held
  expect(out).toContain("nothing to do");
  expect(site.told("web1")).toEqual([]);
  expect(await absencesOf(site)).toEqual(new Map());
});

test.concurrent(
  "ready: the app's check, then a fresh one of HAProxy, then traffic; the hold is gone",
  async () => {
    await using site = await fakeSite();
    expect((await drain(site, "web1")).code).toBe(0);
    const [lb1, app] = [site.balancer("lb1"), site.app("web1")];
    const server = lb1.server("app", "web1");
    let asked = -1;
    site.atStep("web1", "ready", () => {
      asked = app.requests.length;
      server.passes = false;
    });
    site.whenWaiting("web1", /lb1\/app\/web1: DRAIN.*check \d of 3|lb1\/app\/web1: DOWN/, () => {
      expect(readyTold(site, "web1")).toEqual([]);
      server.passes = true;
    });
    const { code, err } = await site.rota("ready", "web1", "--json");
    expect(code, err).toBe(0);
    expect(asked).toBe(2);
    expect(readyTold(site, "web1")).toHaveLength(2);
    expect(site.stateOf("web1")).toBe("ready");
    expect(await absencesOf(site)).toEqual(new Map());
    expect(site.host("web1").connections).toBe(0);
  },
);

test.concurrent("ready of a node whose app is not well leaves it out, held as before", async () => {
  await using site = await fakeSite({ pool: { check: { within: "1s" } } });
  expect((await drain(site, "web1")).code).toBe(0);
  const before = await absencesOf(site);
  const told = site.told("web1");
  site.app("web1").answers({ status: 503 });
  const { code, err } = await site.rota("ready", "web1");
  expect(code).toBe(1);
  expect(err).toContain("answered 503 instead of 200");
  expect(err).toContain("left:  web1 is out of rotation");
  expect(site.told("web1")).toEqual(told);
  expect(await absencesOf(site)).toEqual(before);
});

test.concurrent.for(["drain", "maint"] as const)(
  "ready of a node that a person put in %s at the socket proves it; failing that, it is out as found",
  async (state) => {
    await using site = await fakeSite({ pool: { limits: { ready: "1s" } } });
    const servers = site.balancers.map((lb) => lb.server("app", "web1"));
    for (const server of servers) server.admin = state === "drain" ? 8 : 1;
    site.balancer("lb2").server("app", "web1").passes = false;
    const failed = await site.rota("ready", "web1");
    expect(failed.code).toBe(1);
    expect(failed.err).toContain("left:  web1 is as it was found");
    expect(readyTold(site, "web1")).toEqual([]);
    expect(site.stateOf("web1")).toBe(state);
    expect(await absencesOf(site)).toEqual(new Map());
    for (const server of servers) server.passes = true;
    const { code, err } = await site.rota("ready", "web1");
    expect(code, err).toBe(0);
    expect(site.stateOf("web1")).toBe("ready");
    expect(await absencesOf(site)).toEqual(new Map());
  },
);

test.concurrent(
  "ready of a held node that fails HAProxy's check stays out, and its hold stays a hold",
  async () => {
    await using site = await fakeSite({ pool: { limits: { ready: "1s" } } });
    expect((await drain(site, "web1")).code).toBe(0);
    const before = await absencesOf(site);
    site.balancer("lb1").server("app", "web1").passes = false;
    const { code } = await site.rota("ready", "web1");
    expect(code).toBe(1);
    expect(site.stateOf("web1")).toBe("drain");
    expect(await absencesOf(site)).toEqual(before);
  },
);

test.concurrent(
  "ready of a held node that serves again at one balancer does not take it out there",
  async () => {
    await using site = await fakeSite();
    expect((await drain(site, "web1")).code).toBe(0);
    const lb2 = site.balancer("lb2");
    lb2.reload();
    // With the other one down nobody could be spared, and nobody has to be.
    Object.assign(lb2.server("app", "web2"), { operational: 0, health: 0, passes: false });
    const told = lb2.lines.filter((line) => line.includes("set server"));
    const { code, err } = await site.rota("ready", "web1");
    expect(code, err).toBe(0);
    const since = lb2.lines.filter((line) => line.includes("set server")).slice(told.length);
    expect(since.filter((line) => !line.includes("state ready"))).toEqual([]);
    expect(site.stateOf("web1")).toBe("ready");
    expect(await absencesOf(site)).toEqual(new Map());
  },
);

test.concurrent(
  "ready leaves alone what is in rotation, and what only HAProxy's checks keep out",
  async () => {
    await using site = await fakeSite();
    for (const lb of site.balancers)
      Object.assign(lb.server("app", "web2"), { operational: 0, health: 0, passes: false });
    const { code, err } = await site.rota("ready", "web1", "web2");
    expect(code).toBe(0);
    expect(err).toMatch(/web1 {2}in rotation already$/m);
    expect(err).toMatch(/web2 {2}lb1\/app DOWN .*; nobody took it out: HAProxy's own checks bring it back$/m);
    expect(site.told("web1")).toEqual([]);
    expect(site.told("web2")).toEqual([]);
  },
);

test.concurrent("ready of a node at weight 0 says that it gets no traffic", async () => {
  await using site = await fakeSite();
  for (const lb of site.balancers) lb.server("app", "web1").weight = 0;
  const { code, out } = await site.rota("ready", "web1");
  expect(code).toBe(0);
  expect(out).toContain(
    "lb1/app/web1 has weight 0, which rota does not change: no traffic until somebody does",
  );
});

test.concurrent("ready brings back what our own failed run left out", async () => {
  await using site = await fakeSite({ pool: { upgrade: '[ "$RELEASE" != bad ]' } });
  expect((await deploy(site, "bad", "web1")).code).toBe(1);
  expect(site.stateOf("web1")).toBe("maint");
  const { code, err } = await site.rota("ready", "web1");
  expect(code, err).toBe(0);
  expect(site.stateOf("web1")).toBe("ready");
  expect(await absencesOf(site)).toEqual(new Map());
});

test.concurrent(
  "rotate does no upgrade, and its check asks for the release of the node's last good deploy",
  async () => {
    await using site = await fakeSite({ pool: { check: { body: "release {RELEASE};", within: "1s" } } });
    const app = site.app("web1");
    const unknown = await site.rota("rotate", "web1");
    expect(unknown.code).toBe(2);
    expect(unknown.err).toMatch(
      /asks for RELEASE, and no earlier deploy .*\n.*\n {2}next: .*--set RELEASE=…/,
    );

    app.answers({ status: 200, body: "release 41;" });
    expect((await deploy(site, "41", "web1")).code).toBe(0);
    expect((await deploy(site, "42", "web1")).code).toBe(1); // which is not its last good one
    const before = site.host("web1").commands.length;
    const { code, err } = await site.rota("rotate", "web1");
    expect(code, err).toBe(0);
    expect(site.host("web1").commands.slice(before)).toEqual(["echo restarting"]);
    expect(site.stateOf("web1")).toBe("ready");

    app.answers({ status: 200, body: "release 40;" });
    const wrong = await site.rota("rotate", "web1");
    expect(wrong.code).toBe(1);
    expect(wrong.err).toContain("the body lacks release 41;");
    expect((await site.rota("rotate", "web1", "--set", "RELEASE=40")).code).toBe(0);
  },
);

test.concurrent("where rota never deployed, a drain says what its way back asks for", async () => {
  await using site = await fakeSite({ pool: { check: { body: "release {RELEASE};", within: "1s" } } });
  for (const name of ["web1", "web2"]) site.app(name).answers({ status: 200, body: "release 40;" });
  const { code, out, err } = await drain(site, "web1");
  expect(code, err).toBe(0);
  const way = `rota ready web1 -i ${site.inventory} --set RELEASE=…`;
  expect(out).toContain(`  back again with: ${way}`);
  expect(err).toContain(`note: the journal does not know what web1 runs: to put it back, say so: ${way}`);
  expect((await site.rota("ready", "web1")).err).toContain("--set RELEASE=…, as web1 runs it now");
  expect((await site.rota("ready", "web1", "--set", "RELEASE=40")).code).toBe(0);

  expect((await deploy(site, "40", "web2")).code).toBe(0);
  const known = await drain(site, "web2");
  expect(known.err).not.toContain("note:");
  expect(known.out).toMatch(/\n {2}back again with: rota ready web2 -i \S+$/);
});

test.concurrent("what a drain says brings back nobody whom it did not take out", async () => {
  await using site = await fakeSite({
    nodes: 4,
    pool: { check: { body: "release {RELEASE};", within: "1s" }, rollout: { min_serving: 0 } },
  });
  for (const name of ["web1", "web2", "web3"]) site.app(name).answers({ status: 200, body: "release 40;" });
  expect((await deploy(site, "40", "web1", "web2")).code).toBe(0);
  for (const lb of site.balancers) lb.server("app", "web2").admin = 1; // by somebody else
  const { code, out, err } = await drain(site, "web1", "web2", "web3");
  expect(code, err).toBe(0);
  expect(out.split("\n").filter((line) => line.includes("back again"))).toEqual([
    `  back again with: rota ready web1 -i ${site.inventory}`,
    `  back again with: rota ready web3 -i ${site.inventory} --set RELEASE=…`,
  ]);
});

test.concurrent("rotate leaves a held node alone, or restarts it and leaves it held", async () => {
  await using site = await fakeSite();
  expect((await drain(site, "web1")).code).toBe(0);
  const before = await absencesOf(site);
  expect((await site.rota("rotate", "web1")).out).toContain("nothing to do");
  const { code, err } = await site.rota("rotate", "web1", "--include-held");
  expect(code, err).toBe(0);
  expect(site.host("web1").commands).toEqual(["echo restarting"]);
  expect(site.stateOf("web1")).toBe("drain");
  expect(await absencesOf(site)).toEqual(before);
});

test("what deploys took is no time that is told of a drain or a return", async () => {
  await using site = await fakeSite();
  expect((await site.rota("deploy", "--set", "RELEASE=2")).err).toContain("expected time: ");
  expect((await site.rota("drain", "web1", "--reason", "disk")).err).not.toContain("expected time");
  expect((await site.rota("ready", "web1")).err).not.toContain("expected time");
  expect((await site.rota("rotate", "web1")).err).toMatch(/expected time: about /);
});

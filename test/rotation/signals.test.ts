import { expect, test } from "vitest";
import { fakeSite, type FakeSite } from "../fakes/site.ts";

// One after the other: a signal reaches every run in this process.

const deploy = (site: FakeSite, ...words: string[]) =>
  site.rota("deploy", "--set", "RELEASE=2", "--json", ...words);

const signal = (name: NodeJS.Signals): void => void process.emit(name, name);

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s once: the node in hand is finished, no other is started, and what is left is said",
  async (name) => {
    await using site = await fakeSite({ nodes: 3 });
    site.atStep("web1", "settle", () => signal(name));
    const { code, err, events } = await deploy(site, "--min-serving", "1");
    expect(code).toBe(4);
    expect(err).toContain("rota: stopped as asked, after 1 of 3 nodes\n");
    expect(err).toContain("  left:  web1 is back in rotation; web2, web3 were not touched\n");
    expect(err).toMatch(/\n {2}next: {2}rota resume \w+ -i \S+, which does the rest$/);
    expect(site.stateOf("web1")).toBe("ready");
    expect(site.host("web1").commands).toHaveLength(2);
    for (const node of ["web2", "web3"]) {
      expect(site.told(node)).toEqual([]);
      expect(site.host(node).commands).toEqual([]);
    }
    expect(events).toContainEqual(expect.objectContaining({ type: "stopping", how: "after this node" }));
    expect(events.at(-1)).toMatchObject({ type: "run ended", end: "interrupted", code: "INTERRUPTED" });
    await using journal = await site.journal();
    expect(await journal.absences("fake")).toEqual(new Map());
  },
);

test("a batch is in hand as a whole", async () => {
  await using site = await fakeSite({ nodes: 3, pool: { rollout: { batch: 2, min_serving: 1 } } });
  site.atStep("web1", "drain", () => signal("SIGTERM"));
  const { code, err } = await deploy(site);
  expect(code).toBe(4);
  expect(err).toContain("left:  web1, web2 are back in rotation; web3 was not touched");
});

test("a signal during the very last node stops nothing: the run is done", async () => {
  await using site = await fakeSite();
  site.atStep("web2", "drain", () => signal("SIGTERM"));
  const { code, err } = await deploy(site);
  expect(code, err).toBe(0);
  expect(site.host("web2").commands).toHaveLength(2);
});

test("a node that only waits for capacity is not in hand: the wait ends at once", async () => {
  await using site = await fakeSite({
    nodes: 3,
    pool: { rollout: { min_serving: 2 }, limits: { capacity: "10m" } },
  });
  site.atStep("web1", "check", () => (site.balancer("lb1").server("app", "web3").passes = false));
  site.whenWaiting("web2", /must stay/, () => signal("SIGINT"));
  const { code, err } = await deploy(site, "web1", "web2");
  expect(code).toBe(4);
  expect(err).toContain("web2: stopped while waiting for capacity to take web2 out");
  expect(err).toContain("left:  web1 is back in rotation; web2 is as it was found");
  expect(err).toMatch(/next: {2}rota resume \w+ -i \S+$/);
  expect(site.told("web2")).toEqual([]);
});

test("a grace that is over counts as the second signal", async () => {
  await using site = await fakeSite({ pool: { drain: { within: "10m" } } });
  site.balancer("lb2").server("app", "web1").sessions = 2;
  site.whenWaiting("web1", /2 sessions left/, () => signal("SIGTERM"));
  const { code, err, events } = await deploy(site, "--grace", "100ms");
  expect(code).toBe(4);
  expect(err).toContain("left:  web1 is as it was found; web2 was not touched");
  expect(events).toContainEqual(expect.objectContaining({ type: "stopping", how: "now" }));
  expect(site.stateOf("web1")).toBe("ready");
});

test("twice while nothing was done on the node: it goes back as found, at once", async () => {
  await using site = await fakeSite({ pool: { drain: { within: "10m" } } });
  site.balancer("lb2").server("app", "web1").sessions = 2;
  site.whenWaiting("web1", /2 sessions left/, () => {
    signal("SIGTERM");
    signal("SIGTERM");
  });
  const { code, err, events } = await deploy(site);
  expect(code).toBe(4);
  expect(err).toContain("web1: stopped while waiting for the sessions of web1 to end");
  expect(err).toContain("left:  web1 is as it was found; web2 was not touched");
  expect(site.stateOf("web1")).toBe("ready");
  expect(site.told("web1").filter((line) => line.endsWith("maint"))).toEqual([]);
  expect(site.host("web1").commands).toEqual([]);
  expect(events).toContainEqual(expect.objectContaining({ type: "stopping", how: "now" }));
  await using journal = await site.journal();
  expect(await journal.absences("fake")).toEqual(new Map());
});

test.each(["upgrade", "restart", "check"] as const)(
  "twice during %s, when the node was changed: it stays out, is known to be, and goes first next time",
  async (step) => {
    await using site = await fakeSite({
      pool: {
        upgrade: "[ $RELEASE = 3 ] || sleep 5",
        restart: { run: step === "upgrade" ? "true" : "[ $RELEASE = 3 ] || sleep 5" },
        check: { times: 1_000, within: "10m" },
        ...(step === "upgrade" ? {} : { upgrade: undefined }),
        ...(step === "check" ? { restart: { run: "true" } } : {}),
      },
    });
    site.atStep("web1", step, () =>
      setTimeout(() => {
        signal("SIGTERM");
        signal("SIGTERM");
      }, 150),
    );
    const { code, err } = await deploy(site);
    expect(code).toBe(4);
    expect(err).toContain("left:  web1 is out of rotation; web2 was not touched");
    expect(err).toMatch(/next: {2}rota resume \w+ -i \S+$/);
    expect(site.stateOf("web1")).toBe("maint");
    expect(site.told("web1").filter((line) => line.endsWith("ready"))).toEqual([]);
    await using journal = await site.journal();
    expect((await journal.absences("fake")).get("web1")).toMatchObject({ kind: "run" });
    const plan = await site.rota("plan");
    expect(plan.out).toMatch(/ 1\. {2}web1 .*\n.*web2 /);
  },
);

test("twice while HAProxy's checks are waited for: not proven, so not ready", async () => {
  await using site = await fakeSite();
  site.atStep("web1", "ready", () => (site.balancer("lb2").server("app", "web1").passes = false));
  site.whenWaiting("web1", /lb2\/app\/web1: DOWN/, () => {
    signal("SIGTERM");
    signal("SIGTERM");
  });
  const { code, err } = await deploy(site);
  expect(code).toBe(4);
  expect(err).toContain("stopped while waiting for a fresh passing check of web1");
  expect(site.told("web1").filter((line) => line.endsWith("ready"))).toEqual([]);
  expect(site.stateOf("web1")).toBe("maint");
});

test("between two nodes, twice: no other is started", async () => {
  await using site = await fakeSite();
  site.atStep("web2", "survey", () => {
    signal("SIGTERM");
    signal("SIGTERM");
  });
  const { code, err } = await deploy(site);
  expect(code).toBe(4);
  expect(err).toContain("left:  web1 is back in rotation; web2 is as it was found");
  expect(site.told("web2")).toEqual([]);
});

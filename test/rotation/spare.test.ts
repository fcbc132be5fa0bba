import { expect, test } from "vitest";
import { split } from "../fakes/pools.ts";
import { type FakeSite, fakeSite, type Overrides } from "../fakes/site.ts";

const drain = 8;

function onAll(site: FakeSite, name: string, change: Overrides, backend = "app"): void {
  for (const lb of site.balancers) Object.assign(lb.server(backend, name), change);
}

const weighs = (weight: number): Overrides => ({ weight, initialWeight: weight });

/** What a plan is refused for, a line each. */
async function lacksOf(site: FakeSite, ...words: string[]): Promise<string[]> {
  const { err } = await site.rota("plan", ...words);
  return err.split("\n").filter((line) => /^ {2}lb\d/.test(line));
}

test.concurrent("where weights differ, a percent is meant of the weight too", async () => {
  await using site = await fakeSite({ nodes: 3, balancers: 1, pool: { rollout: { min_serving: "60%" } } });
  onAll(site, "web1", weighs(10));
  onAll(site, "web2", weighs(10));
  onAll(site, "web3", weighs(30));
  expect(await lacksOf(site)).toEqual([
    "  lb1/app: weight 50 of 50 serves, 30 must stay, and 30 would leave",
  ]);
  const alone = await site.rota("plan", "web1");
  expect(alone.out).toContain("lb1/app 2 of 3 (least 2; of weight 40 of 50, least 30)");
  // A count is meant of servers alone.
  expect(await lacksOf(site, "--min-serving", "2")).toEqual([]);
});

test.concurrent(
  "weights make batches smaller, and a server that somebody set to 0 counts as out",
  async () => {
    const pool = { rollout: { batch: 2, min_serving: "50%" } };
    await using site = await fakeSite({ nodes: 4, balancers: 1, pool });
    for (const [i, weight] of [20, 30, 20, 10].entries()) onAll(site, `web${i + 1}`, weighs(weight));
    const plan = await site.rota("plan");
    expect(plan.out).toContain(
      "batches of 1 instead of 2: lb1/app: weight 80 of 80 serves, 40 must stay, and 50 would",
    );
    onAll(site, "web4", { weight: 0 });
    expect(await lacksOf(site, "--min-serving", "60%")).toContain(
      "  lb1/app: 3 of 4 serve, 3 must stay (out: web4 weight 0, by somebody else)",
    );
  },
);

test.concurrent("a lack names who is out, and whose will that is", async () => {
  await using site = await fakeSite({ nodes: 5, balancers: 1, pool: { rollout: { min_serving: 1 } } });
  expect((await site.rota("drain", "web2", "--reason", "disk swap")).code).toBe(0);
  onAll(site, "web3", { operational: 0, health: 0, passes: false });
  onAll(site, "web4", { admin: drain });
  onAll(site, "web5", { weight: 0 });
  const [lack] = await lacksOf(site, "--min-serving", "1");
  expect(lack).toMatch(
    /^ {2}lb1\/app: 1 of 5 serve, 1 must stay \(out: web2 DRAIN, held by \S+ \(disk swap\); web3 DOWN; web4 DRAIN, by somebody else; web5 weight 0, by somebody else\)$/,
  );
});

test.concurrent("servers that track a node's leave with it: their backend must spare them too", async () => {
  await using site = await fakeSite({
    nodes: 2,
    balancers: 1,
    backends: ["app", "admin"],
    pool: { backends: ["app"], rollout: { min_serving: 1 } },
  });
  const lb1 = site.balancer("lb1");
  lb1.server("admin", "web1").tracks = "app/web1";
  expect((await site.rota("plan")).code).toBe(0);
  lb1.server("admin", "web2").admin = drain;
  expect(await lacksOf(site)).toEqual([
    "  lb1/admin: 1 of 2 serve, 1 must stay (out: web2 DRAIN, by somebody else)",
  ]);
  // Also when it comes about in mid-run.
  lb1.server("admin", "web2").admin = 0;
  site.atStep("web1", "survey", () => (lb1.server("admin", "web2").admin = drain));
  site.whenWaiting("web1", /^lb1\/admin: 1 of 2 serve/, () => (lb1.server("admin", "web2").admin = 0));
  const said = await site.rota("deploy", "web1", "--set", "RELEASE=2", "--json");
  expect(said.code, said.err).toBe(0);
  expect(said.events.some((event) => event.type === "waiting" && event.step === "drain")).toBe(true);
});

test.concurrent("what the first pool brings back, the second can count on", async () => {
  await using site = await fakeSite({ nodes: 4, balancers: 1, pool: { rollout: { min_serving: 3 } } });
  await split(site);
  onAll(site, "web1", { operational: 0, health: 0, passes: false });
  expect(await lacksOf(site)).not.toEqual([]);
  expect(await lacksOf(site, "--include-down")).toEqual([]);
  // And what a drain by hand holds of the first is missed in the second.
  onAll(site, "web1", { operational: 2, health: 3, passes: true });
  const both = await site.rota("drain", "web2", "web3", "--reason", "racks", "--yes");
  expect(both.code).toBe(3);
  expect(both.err).toContain("lb1/app: 3 of 4 serve, 3 must stay (out: web2 held out by this drain)");
});

test.concurrent("a wait in mid-run says whose lack it is, and goes on once it is spared", async () => {
  await using site = await fakeSite({ nodes: 3, pool: { rollout: { min_serving: 2 } } });
  const web3 = site.balancer("lb1").server("app", "web3");
  site.atStep("web1", "check", () => (web3.admin = drain));
  const expected =
    /^lb1\/app: 2 of 3 serve, 2 must stay \(out: web3 DRAIN, by somebody else\); goes on by itself once it can be spared$/;
  site.whenWaiting("web2", expected, () => (web3.admin = 0));
  const said = await site.rota("deploy", "web1", "web2", "--set", "RELEASE=2", "--json");
  expect(said.code, said.err).toBe(0);
  expect(said.events.filter((event) => event.type === "waiting" && event.step === "drain")).toHaveLength(1);
});

test.concurrent("of a batch that leaves together only as many go as can be spared by then", async () => {
  const pool = { rollout: { batch: 2, min_serving: 2 } };
  await using site = await fakeSite({ nodes: 4, pool });
  const lb2 = site.balancer("lb2");
  let fewest = 4;
  const count = (): void => {
    const serving = ["web1", "web2", "web3", "web4"].filter((name) => lb2.stateOf("app", name) === "ready");
    fewest = Math.min(fewest, serving.length - (lb2.server("app", "web4").operational === 0 ? 1 : 0));
  };
  // Since the plan was made one more has gone: two of three can't leave at once.
  site.atStep("web1", "drain", () => onAll(site, "web4", { operational: 0, health: 0, passes: false }));
  for (const node of ["web1", "web2"])
    for (const at of ["upgrade", "check"] as const) site.atStep(node, at, count);
  const said = await site.rota("deploy", "web1", "web2", "--set", "RELEASE=2", "--json");
  expect(said.code, said.err).toBe(0);
  expect(fewest).toBe(2);
  const waited = said.events.flatMap((event) =>
    event.type === "waiting" && event.step === "drain" ? [event.node] : [],
  );
  expect(new Set(waited).size).toBe(1);
});

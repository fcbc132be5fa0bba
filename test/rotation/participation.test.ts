import { expect, test } from "vitest";
import { fakeSite, type FakeSite, type FakeSiteOptions, type Overrides, type Said } from "../fakes/site.ts";

const deploy = (site: FakeSite, ...words: string[]) => site.rota("deploy", "--set", "RELEASE=2", ...words);

/** Three nodes, of which one is enough. */
const threeNodes = (pool: Overrides = {}, more: FakeSiteOptions = {}): Promise<FakeSite> =>
  fakeSite({ nodes: 3, pool: { rollout: { min_serving: 1 }, ...pool }, ...more });

const batches = ({ events }: Said): string[][] =>
  events.flatMap((event) => (event.type === "batch started" ? [event.nodes] : []));

/** Nothing was told about the node, and nobody spoke to its host. */
function expectUntouched(site: FakeSite, node: string): void {
  expect(site.told(node)).toEqual([]);
  expect(site.host(node).connections).toBe(0);
}

/** Its checks fail on every balancer. */
function goesDown(site: FakeSite, node: string): void {
  for (const lb of site.balancers)
    Object.assign(lb.server("app", node), { operational: 0, health: 0, passes: false });
}

const somebodys: [what: string, set: { admin?: number; weight?: number }, said: string][] = [
  ["in MAINT", { admin: 1 }, "lb1/app MAINT, lb2/app MAINT"],
  ["in DRAIN", { admin: 8 }, "lb1/app DRAIN, lb2/app DRAIN"],
  ["at weight 0", { weight: 0 }, "lb1/app UP weight 0, lb2/app UP weight 0"],
];

test.concurrent.for(somebodys)(
  "a node that somebody else put %s is left exactly as found, its host not contacted, and said",
  async ([, set, said]) => {
    await using site = await threeNodes();
    for (const lb of site.balancers) Object.assign(lb.server("app", "web2"), set);
    const { code, out, err } = await deploy(site);
    expect(code, err).toBe(0);
    expectUntouched(site, "web2");
    for (const lb of site.balancers) expect(lb.server("app", "web2")).toMatchObject(set);
    expect(out).toContain(
      `  web2 left alone: taken out by somebody else: ${said}; --include-held to take it`,
    );
    expect(out).toMatch(/\n {2}web1 {2}back .*\n {2}web3 {2}back /);
  },
);

test.concurrent("with --include-held it is upgraded, and left out exactly as found", async () => {
  await using site = await threeNodes();
  for (const lb of site.balancers) {
    lb.server("app", "web1").admin = 1;
    lb.server("app", "web2").weight = 0;
  }
  const { code, err } = await deploy(site, "web1", "web2", "--include-held");
  expect(code, err).toBe(0);
  expect(site.host("web1").commands).toHaveLength(2);
  expect(site.host("web2").commands).toHaveLength(2);
  expect(site.stateOf("web1")).toBe("maint");
  expect(site.told("web1").filter((line) => line.endsWith(" ready"))).toEqual([]);
  expect(site.balancers.map((lb) => lb.server("app", "web2"))).toMatchObject([{ weight: 0 }, { weight: 0 }]);
  expect(site.stateOf("web2")).toBe("ready");
  await using journal = await site.journal();
  expect(await journal.absences("fake")).toEqual(new Map());
});

test.concurrent("a node that is DOWN is left alone and said, with what to type", async () => {
  await using site = await threeNodes();
  goesDown(site, "web2");
  const { code, out } = await deploy(site);
  expect(code).toBe(0);
  expectUntouched(site, "web2");
  expect(out).toMatch(/web2 left alone: lb1\/app DOWN \(L7STS .*\), .*; name it, or --include-down, to take/);
});

test.concurrent.for([[["web2", "web1"]], [["--include-down"]], [["web*", "--include-down"]]])(
  "a node that is DOWN is deployed with %j: first of all, and it costs no capacity",
  async ([words = []]) => {
    await using site = await fakeSite({ nodes: 2 });
    goesDown(site, "web2");
    site.atStep("web2", "restart", () => {
      for (const lb of site.balancers) lb.server("app", "web2").passes = true;
    });
    const said = await deploy(site, ...words, "--json");
    expect(said.code, said.err).toBe(0);
    expect(batches(said)).toEqual([["web2"], ["web1"]]);
    expect(site.stateOf("web2")).toBe("ready");
  },
);

test.concurrent("a glob names no node: what is DOWN is left alone", async () => {
  await using site = await fakeSite();
  goesDown(site, "web2");
  // With one of two down, the other can't be spared either.
  const { code } = await deploy(site, "web*", "--min-serving", "0");
  expect(code).toBe(0);
  expectUntouched(site, "web2");
});

test.concurrent("a fleet that is down because of a bad release can be deployed", async () => {
  await using site = await fakeSite({ nodes: 3, pool: { rollout: { min_serving: 2 } } });
  for (const node of ["web1", "web2", "web3"]) goesDown(site, node);
  for (const node of ["web1", "web2", "web3"])
    site.atStep(node, "check", () => site.balancers.forEach((lb) => (lb.server("app", node).passes = true)));
  const refused = await deploy(site);
  expect(refused.code).toBe(0);
  expect(refused.out).toContain("nothing to do");
  const said = await deploy(site, "--include-down", "--json");
  expect(said.code, said.err).toBe(0);
  for (const node of ["web1", "web2", "web3"]) expect(site.stateOf(node)).toBe("ready");
  for (const lb of site.balancers) expect(lb.server("app", "web3").operational).toBe(2);
});

test.concurrent(
  "a node that is out in one entry and in in another counts as out, and both are named",
  async () => {
    await using site = await threeNodes({}, { backends: ["app", "admin"] });
    site.balancer("lb2").server("admin", "web1").admin = 8;
    const { code, out } = await deploy(site);
    expect(code).toBe(0);
    expectUntouched(site, "web1");
    expect(out).toContain(
      "web1 left alone: taken out by somebody else: lb2/admin DRAIN; in on lb1/app, lb1/admin, lb2/app; --include-held",
    );
    const taken = await deploy(site, "web1", "--include-held");
    expect(taken.code, taken.err).toBe(0);
    expect(site.balancer("lb2").stateOf("admin", "web1")).toBe("drain");
    expect(site.balancer("lb2").stateOf("app", "web1")).toBe("ready");
    expect(site.balancer("lb1").stateOf("admin", "web1")).toBe("ready");
  },
);

test.concurrent("a held node is left alone; with --include-held it is upgraded and stays held", async () => {
  await using site = await threeNodes();
  expect((await site.rota("drain", "web2", "--reason", "disk swap")).code).toBe(0);
  const drained = site.told("web2");
  const alone = await deploy(site);
  expect(alone.code, alone.err).toBe(0);
  expect(alone.out).toMatch(/web2 left alone: held by .* \(disk swap\); --include-held/);
  expect(site.told("web2")).toEqual(drained);
  expect(site.host("web2").connections).toBe(0);

  await using journal = await site.journal();
  const before = await journal.absences("fake");
  const taken = await deploy(site, "web2", "--include-held");
  expect(taken.code, taken.err).toBe(0);
  expect(taken.out).toMatch(/\n {2}web2 {2}kept out /);
  expect(site.host("web2").commands).toHaveLength(2);
  expect(site.stateOf("web2")).toBe("drain");
  expect(before.get("web2")).toMatchObject({ kind: "hold", reason: "disk swap" });
  expect(await journal.absences("fake")).toEqual(before);
});

test.concurrent("a hold outlives a deploy with --include-held that fails, at whatever step", async () => {
  await using site = await fakeSite({ pool: { drain: { within: "1500ms" }, upgrade: "exit 1" } });
  expect((await site.rota("drain", "web1", "--reason", "disk swap")).code).toBe(0);
  await using journal = await site.journal();
  const held = await journal.absences("fake");
  const server = site.balancer("lb1").server("app", "web1");
  server.sessions = 1;
  const unsettled = await deploy(site, "web1", "--include-held");
  expect(unsettled.code).toBe(1);
  expect(unsettled.err).toContain("1 session left");
  expect(await journal.absences("fake")).toEqual(held);
  server.sessions = 0;
  expect((await deploy(site, "web1", "--include-held", "--max-failures", "1")).code).toBe(1);
  expect(await journal.absences("fake")).toEqual(held);
  expect(site.stateOf("web1")).toBe("maint");
});

test.concurrent("a held node that serves again after a reload is out when it was taken along", async () => {
  await using site = await threeNodes();
  expect((await site.rota("drain", "web2", "--reason", "disk swap")).code).toBe(0);
  site.balancer("lb1").reload();
  const { code, err } = await deploy(site, "web2", "--include-held");
  expect(code, err).toBe(0);
  expect(err).toMatch(/web2 held by .*, but IN ROTATION on lb1\/app; stays out/);
  expect(site.stateOf("web2")).toBe("drain");
  await using journal = await site.journal();
  expect([...(await journal.absences("fake")).keys()]).toEqual(["web2"]);
});

test.concurrent("--skip leaves a node alone, also one that our own run left out", async () => {
  await using site = await threeNodes({ upgrade: '[ "$RELEASE" != bad ]' });
  expect((await site.rota("deploy", "web2", "--set", "RELEASE=bad")).code).toBe(1);
  const told = site.told("web2");
  const said = await deploy(site, "--skip", "web2", "--json");
  expect(said.code, said.err).toBe(0);
  expect(batches(said)).toEqual([["web1"], ["web3"]]);
  expect(site.told("web2")).toEqual(told);
  expect((await deploy(site, "--skip", "web9")).code).toBe(2);
  // And the plan says who goes first, and why.
  const plan = await site.rota("plan");
  expect(plan.out).toMatch(/ 1\. {2}web2 .*\n.*web1 .*\n.*web3 /);
  expect(plan.out).toMatch(/web2 was left out by run [0-9a-f]{6}; goes first, back when proven/);
});

test.concurrent("a node that somebody takes out between the plan and its turn is left to them", async () => {
  await using site = await threeNodes();
  site.atStep("web1", "check", () => (site.balancer("lb2").server("app", "web2").admin = 1));
  const said = await deploy(site, "--json");
  expect(said.code, said.err).toBe(0);
  expect(site.told("web2")).toEqual([]);
  expect(site.host("web2").commands).toEqual([]);
  expect(site.balancer("lb2").stateOf("app", "web2")).toBe("maint");
  expect(said.events).toContainEqual(
    expect.objectContaining({
      type: "notice",
      text: "web2 is left alone: lb2/app shows MAINT since: somebody took it out",
    }),
  );
  expect(site.stateOf("web3")).toBe("ready");
  expect(site.host("web3").commands).toHaveLength(2);
});

test.concurrent("so is one that is taken out while it waits for capacity", async () => {
  await using site = await fakeSite({ nodes: 3, pool: { rollout: { min_serving: 2 } } });
  const web3 = site.balancer("lb1").server("app", "web3");
  site.atStep("web1", "settle", () => (web3.passes = false));
  site.whenWaiting("web2", /2 must stay/, () => {
    site.balancer("lb2").server("app", "web2").admin = 1;
    web3.passes = true;
    // Enough others must serve at both balancers, or the wait would go on.
    site.balancer("lb2").addServer("app", "spare");
  });
  const { code, err } = await deploy(site, "web1", "web2", "--json");
  expect(code, err).toBe(0);
  expect(site.told("web2")).toEqual([]);
  expect(site.balancer("lb2").stateOf("app", "web2")).toBe("maint");
});

test.concurrent("a place that came while our own run had the node out is not lost", async () => {
  await using site = await fakeSite({ nodes: 2, pool: { upgrade: '[ "$RELEASE" != bad ]' } });
  expect((await site.rota("deploy", "web1", "--set", "RELEASE=bad")).code).toBe(1);
  // The server goes at one balancer and comes anew, as after a change of its configuration.
  await using journal = await site.journal();
  const absence = (await journal.absences("fake")).get("web1");
  if (!absence) throw new Error("web1 is not in the journal");
  await journal.takenOut("fake", {
    ...absence,
    found: [
      ...absence.found.filter(({ balancer }) => balancer === "lb1"),
      { balancer: "lb1", backend: "gone", server: "web1", admin: "ready", weight: 1 },
    ],
  });
  for (const lb of site.balancers) lb.reload();
  site.balancer("lb1").server("app", "web1").admin = 1;
  const { code, err } = await deploy(site, "web1");
  expect(code, err).toBe(0);
  expect(site.stateOf("web1")).toBe("ready");
  expect(await journal.absences("fake")).toEqual(new Map());
});

test("a name in needs with an empty value is refused: an unset variable of a CI job is no release", async () => {
  await using site = await fakeSite();
  const { code, err } = await site.rota("deploy", "--set", "RELEASE=");
  expect(code).toBe(2);
  expect(err).toContain("web needs RELEASE");
  expect(site.host("web1").connections).toBe(0);
});

test("whoever names a held node is told that nothing was done by the exit code too", async () => {
  await using site = await fakeSite();
  expect((await site.rota("drain", "web1", "--reason", "disk")).code).toBe(0);
  const { code, out, err } = await site.rota("deploy", "web1", "--set", "RELEASE=2");
  expect(code).toBe(3);
  expect(out).toBe("nothing to do");
  expect(err).toMatch(/web1 {2}held by .*--include-held/);
});

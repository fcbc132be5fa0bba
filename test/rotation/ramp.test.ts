import { beforeAll, expect, test } from "vitest";
import { buildProgram, runUntilKilled } from "../fakes/program.ts";
import { fakeSite, type FakeSite, type FakeSiteOptions } from "../fakes/site.ts";

const words = ["deploy", "web1", "--set", "RELEASE=2", "--json"] as const;
const [command, ...options] = words;
const deploy = (site: FakeSite) => site.rota(command, ...options);

const rampedSite = async (every = "150ms", more: FakeSiteOptions = {}): Promise<FakeSite> => {
  const site = await fakeSite({ ...more, pool: { ready: { ramp: ["25%", "50%"], every }, ...more.pool } });
  for (const lb of site.balancers)
    for (const server of lb.servers()) Object.assign(server, { weight: 90, initialWeight: 100 });
  return site;
};

beforeAll(buildProgram, 300_000);

/** What one balancer was told of the node's weight and of its return, in order. */
const toldOf = (site: FakeSite, balancer: string): string[] =>
  site
    .balancer(balancer)
    .lines.flatMap((line) => line.match(/set server app\/web1 (weight \d+|state ready)/g) ?? [])
    .map((line) => line.replace("set server app/web1 ", ""));

const weights = (site: FakeSite): number[] => site.balancers.map((lb) => lb.server("app", "web1").weight);

const absences = async (site: FakeSite) => {
  await using journal = await site.journal();
  return await journal.absences("fake");
};

/** By somebody, or by a reload, when the node has a part of its weight. */
const inMidRamp = (site: FakeSite, act: () => void): void =>
  site.whenWaiting("web1", /^25% of its weight/, act);

test.concurrent(
  "a proven node comes back with parts of the weight that it was found with, then with all",
  async () => {
    await using site = await rampedSite();
    const { code, err } = await deploy(site);
    expect(code, err).toBe(0);
    for (const lb of ["lb1", "lb2"])
      expect(toldOf(site, lb)).toEqual(["weight 22", "state ready", "weight 22", "weight 45", "weight 90"]);
    expect(await absences(site)).toEqual(new Map());
  },
);

test.concurrent(
  "a weight of 1 has no parts, and a static algorithm takes none: said, and back at once",
  async () => {
    await using site = await rampedSite("60s");
    Object.assign(site.balancer("lb1").server("app", "web1"), { weight: 1, initialWeight: 1 });
    for (const server of site.balancer("lb2").servers())
      Object.assign(server, { isStatic: true, weight: 100 });
    const { code, err, events } = await deploy(site);
    expect(code, err).toBe(0);
    expect(weights(site)).toEqual([1, 100]);
    const said = events.flatMap((event) => (event.type === "notice" ? event.text : []));
    expect(said).toContainEqual(expect.stringMatching(/^lb1\/app\/web1: back in one step: its weight is 1/));
    expect(said).toContainEqual(
      expect.stringMatching(/^lb2\/app\/web1: back in one step: its balance algorithm/),
    );
  },
);

test.concurrent(
  "a node that HAProxy finds down in mid-ramp is out again, its weight as found, and is no more proven",
  async () => {
    await using site = await rampedSite("10s");
    inMidRamp(site, () => (site.balancer("lb2").server("app", "web1").passes = false));
    const { code, err } = await deploy(site);
    expect(code).toBe(1);
    expect(err).toMatch(/web1 came back in steps, and failed: lb2\/app\/web1 is DOWN/);
    expect(err).toContain("web1 is out of rotation");
    expect(site.stateOf("web1")).toBe("maint");
    expect(weights(site)).toEqual([90, 90]);
    expect(
      [...(await absences(site)).values()].flatMap(({ found }) => found.map((at) => at.stepped)),
    ).toEqual([undefined, undefined]);
  },
);

test("two signals end a ramp at once: the node is proven, and gets its whole weight", async () => {
  await using site = await rampedSite("10m");
  inMidRamp(site, () => {
    process.emit("SIGTERM", "SIGTERM");
    process.emit("SIGTERM", "SIGTERM");
  });
  const { err } = await deploy(site);
  expect(err).not.toContain("is out");
  expect(site.stateOf("web1")).toBe("ready");
  expect(weights(site)).toEqual([90, 90]);
  expect(await absences(site)).toEqual(new Map());
});

test.concurrent(
  "a reload in mid-ramp is noticed, and told the step again; the end is what was found",
  async () => {
    await using site = await rampedSite("1s");
    inMidRamp(site, () => site.balancer("lb2").reload());
    const { code, err, events } = await deploy(site);
    expect(code, err).toBe(0);
    expect(events).toContainEqual(
      expect.objectContaining({
        type: "notice",
        text: expect.stringMatching(/^lb2\/app\/web1 has weight 100, .*told again$/),
      }),
    );
    expect(weights(site)).toEqual([90, 90]);
  },
);

test.concurrent("a weight of 0 that somebody sets in mid-ramp is theirs, and stays", async () => {
  await using site = await rampedSite("600ms");
  inMidRamp(site, () => (site.balancer("lb2").server("app", "web1").weight = 0));
  const { code, err, events } = await deploy(site);
  expect(code, err).toBe(0);
  expect(weights(site)).toEqual([90, 0]);
  expect(events).toContainEqual(
    expect.objectContaining({ text: "lb2/app/web1: somebody gave it weight 0; left so" }),
  );
});

test.concurrent.for([
  ["resume", ["resume"]],
  ["ready", ["ready", "web1"]],
  ["abort", ["abort", "--yes"]],
] as const)(
  "killed in mid-ramp, %s leaves exactly the weight that was found, in rotation",
  async ([, [word, ...rest]]) => {
    await using site = await rampedSite("300ms");
    const moment = {
      type: "waiting",
      node: "web1",
      step: "ready",
      saw: "25% of its weight, watched",
    } as const;
    await runUntilKilled(moment, [command, ...options.slice(0, -1), "-i", site.inventory], { env: site.env });
    expect(weights(site)).toEqual([22, 22]);
    expect(site.stateOf("web1")).toBe("ready");
    const { code, err } = await site.rota(word, ...rest);
    expect(code, err).toBe(0);
    expect(weights(site)).toEqual([90, 90]);
    expect(site.stateOf("web1")).toBe("ready");
    expect(await absences(site)).toEqual(new Map());
  },
);

test.concurrent("a node of weight 0 that is taken along stays at 0", async () => {
  await using site = await rampedSite("10m");
  for (const lb of site.balancers) lb.server("app", "web1").weight = 0;
  const { code, err } = await site.rota(command, ...options, "--include-held");
  expect(code, err).toBe(0);
  expect(weights(site)).toEqual([0, 0]);
});

test.concurrent(
  "an agent is not asked while its node is out, and is asked again afterwards; one that was off stays off",
  async () => {
    await using site = await fakeSite();
    const [first, second] = site.balancers.map((lb) => lb.server("app", "web1"));
    if (!first || !second) throw new Error("no servers");
    first.agent = true;
    second.agentDisabled = true; // by somebody
    let meanwhile: boolean | undefined;
    site.atStep("web1", "restart", () => (meanwhile = first.agent));
    const { code, err } = await deploy(site);
    expect(code, err).toBe(0);
    expect([meanwhile, first.agent, second.agent]).toEqual([false, true, false]);
  },
);

test.concurrent("a hold keeps an agent unasked until ready", async () => {
  await using site = await fakeSite();
  for (const lb of site.balancers) lb.server("app", "web1").agent = true;
  const asked = (): boolean[] => site.balancers.map((lb) => lb.server("app", "web1").agent);
  expect((await site.rota("drain", "web1", "--reason", "disk", "--yes")).code).toBe(0);
  expect(asked()).toEqual([false, false]);
  const { code, err } = await site.rota("ready", "web1", "--yes");
  expect(code, err).toBe(0);
  expect(asked()).toEqual([true, true]);
});

test.concurrent(
  "what an agent keeps out is somebody's will: named and left alone, or worked on and left so",
  async () => {
    await using site = await fakeSite();
    for (const lb of site.balancers)
      Object.assign(lb.server("app", "web1"), { agent: true, agentDown: true, operational: 0 });
    const alone = await site.rota("plan", "web1", "--set", "RELEASE=2");
    expect(alone.out + alone.err).toContain("taken out by somebody else: lb1/app DOWN (agent)");
    const { code, err } = await site.rota(command, ...options, "--include-held");
    expect(code, err).toBe(0);
    for (const lb of site.balancers)
      expect(lb.server("app", "web1")).toMatchObject({
        agent: true,
        agentDown: true,
        operational: 0,
        admin: 0,
      });
  },
);

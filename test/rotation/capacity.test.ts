import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Fleet, type Node, type Pool, type Share, shareOf } from "../../src/inventory/fleet.ts";
import { partOf, partToDrain } from "../../src/rotation/plan/participation.ts";
import { type Plan, type PlanOptions, makePlan, tripsOf } from "../../src/rotation/plan/plan.ts";
import type { Backend, Entry, Survey } from "../../src/rotation/ports.ts";
import type { Absence } from "../../src/rotation/records.ts";
import { nameOf } from "../../src/rotation/world.ts";
import { fakeSite, type FakeSite, type Overrides, type Said } from "../fakes/site.ts";

const deploy = (site: FakeSite, ...words: string[]) => site.rota("deploy", "--set", "RELEASE=2", ...words);

const withRollout = (nodes: number, rollout: Overrides, pool: Overrides = {}): Promise<FakeSite> =>
  fakeSite({ nodes, pool: { rollout, ...pool } });

const batches = ({ events }: Said): string[][] =>
  events.flatMap((event) => (event.type === "batch started" ? [event.nodes] : []));

/** Nothing was told to a balancer, nothing was done on a host. */
function expectNothingTouched(site: FakeSite): void {
  for (const lb of site.balancers) expect(lb.lines.filter((line) => line.includes("set server"))).toEqual([]);
  for (const node of ["web1", "web2"]) expect(site.host(node).commands).toEqual([]);
}

function goesDown(site: FakeSite, node: string, balancers = site.balancers): void {
  for (const lb of balancers)
    Object.assign(lb.server("app", node), { operational: 0, health: 0, passes: false });
}

test.concurrent("a deploy that no node can be spared for is refused, and nothing is touched", async () => {
  await using site = await withRollout(3, { min_serving: "60%" }); // of 3, rounded up: 2
  goesDown(site, "web3", [site.balancer("lb2")]);
  const { code, err } = await deploy(site);
  expect(code).toBe(3);
  expect(err).toContain("too few would serve:\n  lb2/app: 2 of 3 serve, 2 must stay (out: web3 DOWN)\n");
  expect(err).toMatch(/\n {2}left: {2}nothing was touched\n {2}next: .*--min-serving.*--force/);
  expect(err).not.toContain("serving meanwhile"); // of batches that will not be
  expectNothingTouched(site);
  const plan = await site.rota("plan");
  expect(plan.code).toBe(3);
});

test.concurrent("a drain that can't be spared is not told to use options that it does not have", async () => {
  await using site = await withRollout(2, { min_serving: 2 });
  const { code, err } = await site.rota("drain", "web1", "--reason", "disk swap");
  expect(code).toBe(3);
  expect(err).toMatch(/next: {2}bring servers back first \(rota status -i \S+\), or --force past this guard/);
  expectNothingTouched(site);
});

test.concurrent("--min-serving on the command line wins over the inventory", async () => {
  await using site = await withRollout(2, { min_serving: 2 });
  expect((await deploy(site)).code).toBe(3);
  expectNothingTouched(site);
  const { code, err } = await deploy(site, "--min-serving", "50%");
  expect(code, err).toBe(0);
  expect((await deploy(site, "--min-serving", "most")).code).toBe(2);
});

test.concurrent("--force goes past the guard, with --yes where nobody can be asked", async () => {
  await using site = await withRollout(2, { min_serving: 2 });
  const unasked = await deploy(site, "--force");
  expect(unasked.code).toBe(2);
  expect(unasked.err).toContain("--force without a terminal needs --yes");
  expectNothingTouched(site);
  const { code, err } = await deploy(site, "--force", "--yes");
  expect(code, err).toBe(0);
  expect(site.host("web2").commands).toHaveLength(2);
});

test.concurrent("in the middle of a run the next node waits until another server is back", async () => {
  await using site = await withRollout(3, { min_serving: 2 }, { limits: { capacity: "15s" } });
  const lb1 = site.balancer("lb1");
  const web3 = lb1.server("app", "web3");
  site.atStep("web1", "check", () => (web3.passes = false));
  let servingThen = -1;
  site.whenWaiting(
    "web2",
    /^lb1\/app: 2 of 3 serve, 2 must stay \(out: web3 DOWN\); goes on by itself once it can be spared$/,
    () => {
      expect(site.told("web2")).toEqual([]);
      web3.passes = true;
    },
  );
  site.atStep("web2", "settle", () => (servingThen = web3.operational));
  const said = await deploy(site, "web1", "web2", "--json");
  expect(said.code, said.err).toBe(0);
  expect(servingThen).toBe(2);
  const waits = said.events.filter((event) => event.type === "waiting" && event.step === "drain");
  expect(waits.length).toBeGreaterThan(0);
});

test.concurrent("after limits.capacity it gives up, and says whose lack it is", async () => {
  await using site = await withRollout(3, { min_serving: 2 }, { limits: { capacity: "300ms" } });
  const web3 = site.balancer("lb2").server("app", "web3");
  site.atStep("web1", "check", () => (web3.passes = false));
  const { code, err } = await deploy(site, "web1", "web2", "--json");
  expect(code).toBe(1);
  expect(err).toContain(
    "web2: waited 300ms for capacity to take web2 out: lb2/app: 2 of 3 serve, 2 must stay (out: web3 DOWN",
  );
  expect(err).toContain("left:  web1 is back in rotation; web2 is as it was found");
  expect(err).toMatch(/next: {2}rota resume \w+ -i \S+$/m);
  expect(site.told("web2")).toEqual([]);
});

test.concurrent("backup servers are not counted", async () => {
  await using site = await withRollout(3, { min_serving: 2 });
  for (const lb of site.balancers) lb.server("app", "web3").backup = true;
  const { code, err } = await deploy(site);
  expect(code).toBe(3);
  expect(err).toContain("lb1/app: 2 of 2 serve, 2 must stay");
  // A backup itself takes no traffic: it can be spared.
  const backup = await deploy(site, "web3");
  expect(backup.code, backup.err).toBe(0);
});

test.concurrent("every backend of every balancer counts on its own", async () => {
  await using site = await fakeSite({ nodes: 3, backends: ["app", "admin"] });
  Object.assign(site.balancer("lb2").server("admin", "web3"), { operational: 0, passes: false, health: 0 });
  const { code, err } = await deploy(site, "web1");
  expect(code).toBe(3);
  expect(err).toContain(
    "too few would serve:\n  lb2/admin: 2 of 3 serve, 2 must stay (out: web3 DOWN)\n  left:",
  );
});

const sizes: [words: string[], rollout: Overrides, expected: string[][]][] = [
  [[], { batch: 2, min_serving: 1 }, [["web1", "web2"], ["web3", "web4"], ["web5"]]],
  [["--batch", "50%"], { min_serving: 1 }, [["web1", "web2"], ["web3", "web4"], ["web5"]]],
  [["--batch", "5"], { min_serving: 3 }, [["web1", "web2"], ["web3", "web4"], ["web5"]]],
  [["--batch", "5"], { min_serving: "50%" }, [["web1", "web2"], ["web3", "web4"], ["web5"]]],
];

test.for(sizes)("%j with %j means the batches %j", async ([words, rollout, expected]) => {
  await using site = await withRollout(5, rollout);
  const { code, out } = await site.rota("plan", ...words, "--json");
  expect(code).toBe(0);
  const { pools }: { pools: { batches: { nodes: { node: string }[] }[] }[] } = JSON.parse(out);
  expect(pools.flatMap((pool) => pool.batches.map(({ nodes }) => nodes.map(({ node }) => node)))).toEqual(
    expected,
  );
});

test.concurrent(
  "a batch leaves together, and never more of it than can be spared at that moment",
  async () => {
    await using site = await withRollout(4, { batch: 2, min_serving: 2 });
    const lb1 = site.balancer("lb1");
    let fewest = 4;
    const counting = setInterval(() => {
      const serving = ["web1", "web2", "web3", "web4"].filter((node) => lb1.stateOf("app", node) === "ready");
      fewest = Math.min(fewest, serving.length);
    }, 2);
    const said = await deploy(site, "--json");
    clearInterval(counting);
    expect(said.code, said.err).toBe(0);
    expect(batches(said)).toEqual([
      ["web1", "web2"],
      ["web3", "web4"],
    ]);
    expect(fewest).toBe(2);
  },
);

// The plan, without a site.

interface Case {
  states: ("serving" | "down" | "person" | "ours" | "hold" | "half")[];
  backups: boolean[];
  others: number;
  batch: Share;
  minServing: Share;
  force: boolean;
  drain: boolean;
  includeDown: boolean;
  includeHeld: boolean;
}

const share = (least: number) =>
  fc.oneof(
    fc.record({ count: fc.integer({ min: least, max: 6 }) }),
    fc.record({ percent: fc.integer({ min: least, max: 100 }) }),
  );

const anyCase: fc.Arbitrary<Case> = fc
  .array(
    fc.constantFrom<Case["states"][number]>("serving", "serving", "down", "person", "ours", "hold", "half"),
    {
      minLength: 1,
      maxLength: 8,
    },
  )
  .chain((states) =>
    fc.record({
      states: fc.constant(states),
      backups: fc.array(fc.constantFrom(false, false, false, true), {
        minLength: states.length,
        maxLength: states.length,
      }),
      others: fc.integer({ min: 0, max: 3 }),
      batch: share(1),
      minServing: share(0),
      force: fc.boolean(),
      drain: fc.boolean(),
      includeDown: fc.boolean(),
      includeHeld: fc.boolean(),
    }),
  );

const places = ["lb1", "lb2"].flatMap((balancer) =>
  ["app", "admin"].map((backend) => ({ balancer, backend })),
);

function surveyOf({ states, backups, others }: Case): Survey {
  const entries = states.flatMap((state, i) =>
    places.map((place, at): Entry => {
      const out = state !== "serving" && (state !== "half" || at === 3);
      const because = state === "person" || state === "half" ? "person" : "health";
      return {
        ...place,
        server: `web${i}`,
        admin: out && because === "person" ? "drain" : "ready",
        weight: 1,
        initialWeight: 1,
        outBecause: out ? because : undefined,
        status: out ? "DOWN" : "UP",
        lastCheck: "",
        sessions: 0,
        traffic: { perSecond: 0, errors: 0 },
        backup: backups[i] ?? false,
        checked: true,
        tracks: undefined,
        address: undefined,
        agent: undefined,
      };
    }),
  );
  const backends = places.map((place): Backend => {
    const mine = entries.filter(
      (e) => !e.backup && e.balancer === place.balancer && e.backend === place.backend,
    );
    const serving = mine.filter((e) => !e.outBecause).length + others;
    return { ...place, servers: mine.length + others, serving, backups: 0, weight: undefined, absent: [] };
  });
  return { entries, backends, unread: [] };
}

function planOf(one: Case): { plan: Plan; survey: Survey; nodes: Node[] } {
  const nodes = one.states.map((_, i): Node => {
    const ssh = { user: "deploy", port: 22, identity: undefined, knownHosts: "" };
    return { name: `web${i}`, host: "127.0.0.1", server: `web${i}`, ssh, vars: {} };
  });
  const pool: Pool = {
    name: "web",
    balancers: ["lb1", "lb2"],
    backends: undefined,
    nodes,
    needs: [],
    drain: { within: 1, atLimit: "stop" },
    prepare: undefined,
    statusPage: undefined,
    stays: false,
    once: undefined,
    upgrade: undefined,
    rollback: undefined,
    hooks: { beforeBatch: undefined, afterBatch: undefined, beforeNode: undefined, afterNode: undefined },
    restart: { via: "command", run: "true", proof: undefined },
    check: { url: "http://{host}/", status: 200, body: undefined, times: 1, within: 1, whileOut: 404 },
    ready: { proof: "pass", ramp: undefined },
    rollout: {
      canary: { count: 0 },
      batch: [one.batch],
      minServing: one.minServing,
      maxFailures: 0,
      soak: 0,
      pipeline: false,
      inconclusive: "stop",
      onFailure: "stop",
    },
    limits: { connect: 1, command: 1, ready: 1, capacity: 1 },
  };
  const balancers = pool.balancers.map((name) => ({ name, socket: { kind: "unix" as const, path: name } }));
  const hooks = { beforeDeploy: undefined, afterDeploy: undefined };
  const fleet: Fleet = {
    name: "fake",
    sharedJournal: false,
    file: "fake.yml",
    balancers,
    hooks,
    notices: [],
    pools: [pool],
  };
  const survey = surveyOf(one);
  const absences = new Map(
    one.states.flatMap((state, i): [string, Absence][] => {
      if (state !== "ours" && state !== "hold") return [];
      const kind = state === "hold" ? "hold" : "run";
      const by = { run: "abcdef", by: "ada", reason: undefined, since: new Date(0), until: undefined };
      return [[`web${i}`, { node: `web${i}`, kind, ...by, found: [] }]];
    }),
  );
  const { includeDown, includeHeld, force, drain } = one;
  const options: PlanOptions = {
    nodes,
    part: (_, entries, absence) =>
      drain
        ? partToDrain(entries, absence)
        : partOf(entries, absence, { named: false, includeDown, includeHeld }),
    errand: { upgrade: !drain, hostNeeded: !drain, hold: drain ? { until: undefined } : undefined },
    force,
    variablesOf: () => ({ variables: {}, secrets: [] }),
  };
  return { plan: makePlan(fleet, survey, absences, options), survey, nodes };
}

const property = (title: string, holds: (one: Case) => void): void =>
  test(title, () => fc.assert(fc.property(anyCase, holds), { numRuns: 400 }));

property(
  "whatever is found, each chosen node is in one batch or left alone with a reason, in order",
  (one) => {
    const { plan, nodes } = planOf(one);
    const trips = tripsOf(plan);
    const names = [...trips.map(nameOf), ...plan.leftAlone.map(({ node }) => node)];
    expect(names.toSorted()).toEqual(nodes.map(({ name }) => name).toSorted());
    for (const { why } of plan.leftAlone) expect(why).not.toBe("");
    // Those that are out anyway come first; each kind keeps the order of the file.
    const serving = trips.filter(({ standing }) => standing === "serving").map(nameOf);
    const others = trips.filter(({ standing }) => standing !== "serving").map(nameOf);
    expect(trips.map(nameOf)).toEqual([...others, ...serving]);
    for (const kind of [serving, others]) expect(kind).toEqual(kind.toSorted());
  },
);

property(
  "whatever is found, a plan that is not refused leaves as many serving as must, at each step",
  (one) => {
    const { plan, survey } = planOf(one);
    if (plan.refusals.length > 0 || one.force) return;
    const serving = new Map(survey.backends.map((b) => [`${b.balancer}/${b.backend}`, b.serving]));
    for (const { trips } of plan.pools.flatMap((pool) => pool.batches)) {
      expect(trips.length).toBeLessThanOrEqual(shareOf(one.batch, one.states.length, "down"));
      for (const backend of survey.backends) {
        const key = `${backend.balancer}/${backend.backend}`;
        const mine = trips.flatMap(({ entries, standing }) =>
          entries
            .filter((e) => !e.backup && e.balancer === backend.balancer && e.backend === backend.backend)
            .map((e) => ({ out: e.outBecause !== undefined, standing })),
        );
        const left = (serving.get(key) ?? 0) - mine.filter(({ out }) => !out).length;
        if (mine.some(({ out }) => !out))
          expect(left).toBeGreaterThanOrEqual(shareOf(one.minServing, backend.servers, "up"));
        const back = mine.filter(({ out, standing }) => out && standing !== "held").length;
        serving.set(key, one.drain ? left : (serving.get(key) ?? 0) + back);
      }
    }
  },
);

property("--force puts no more nodes into a batch than were asked for, and is never refused", (one) => {
  const { plan } = planOf({ ...one, force: true });
  expect(plan.refusals).toEqual([]);
  for (const { trips } of plan.pools.flatMap((pool) => pool.batches))
    expect(trips.length).toBeLessThanOrEqual(shareOf(one.batch, one.states.length, "down"));
});

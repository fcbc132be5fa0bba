import { expect, test } from "vitest";
import type { Event } from "../../src/events/events.ts";
import { split } from "../fakes/pools.ts";
import { type FakeSite, type Overrides, type Said, fakeSite } from "../fakes/site.ts";

const prepared = (nodes: number, pool: Overrides = {}): Promise<FakeSite> =>
  fakeSite({ nodes, pool: { prepare: 'echo "fetching $RELEASE"', ...pool } });

const deploy = (site: FakeSite, ...words: string[]): Promise<Said> =>
  site.rota("deploy", "--set", "RELEASE=2", "--json", ...words);

const at = ({ events }: Said, fits: (event: Event) => boolean): number[] =>
  events.flatMap((event, i) => (fits(event) ? [i] : []));

/** Nothing was told to a balancer. */
function expectNobodyLeft(site: FakeSite): void {
  for (const lb of site.balancers) expect(lb.lines.filter((line) => line.includes("set server"))).toEqual([]);
}

const preparing = (site: FakeSite, node: string): number =>
  site.host(node).commands.filter((command) => command.includes("fetching")).length;

test.concurrent(
  "prepare runs on every node that takes part, held ones too, before the first leaves",
  async () => {
    await using site = await prepared(3, { rollout: { min_serving: 1 } });
    site.balancer("lb1").server("app", "web3").admin = 8;
    site.atStep("web1", "drain", () => {
      expect(["web1", "web2", "web3"].map((node) => preparing(site, node))).toEqual([1, 1, 1]);
      expect(site.told("web1")).toEqual([]);
    });
    const said = await deploy(site, "--include-held");
    expect(said.code, said.err).toBe(0);
    const ended = at(said, (event) => event.type === "step ended" && event.step === "prepare");
    const [first = 0] = at(said, (event) => event.type === "batch started");
    expect(ended).toHaveLength(3);
    expect(Math.max(...ended)).toBeLessThan(first);
    const shown = await site.rota("show", "last", "web1");
    expect(shown.out).toMatch(/✓ prepare .*\n +fetching 2\n/);
    const plan = await site.rota("plan", "--include-held");
    expect(plan.out).toContain("prepare on 3 nodes first, while they serve");
  },
);

test.concurrent(
  "where prepare fails on more nodes than may, none leaves, and a resume does the rest of it",
  async () => {
    await using site = await prepared(3, { prepare: 'test ! -e broken; echo "fetching $RELEASE"' });
    await site.host("web2").write("broken");
    const said = await deploy(site);
    expect(said.code).toBe(1);
    expect(said.err).toContain("web2: prepare on web2: exit code 1");
    expect(said.err).toContain("web2 is as it was found; web1, web3 were not touched");
    expect(said.err).toMatch(/next: {2}rota resume \w+/);
    expectNobodyLeft(site);
    for (const node of ["web1", "web2", "web3"])
      expect(site.host(node).commands.join()).not.toContain("upgrading");
    const runs = await site.rota("show", "last");
    expect(runs.out).toMatch(/web1 +no turn/);

    const again = await site.rota("resume", "--json");
    expect(again.code).toBe(1);
    const tried = at(again, (event) => event.type === "step started" && event.step === "prepare");
    expect(tried).toHaveLength(1); // what was prepared is not prepared again
  },
);

test.concurrent("a node that can't be prepared never leaves, and counts as one that failed", async () => {
  await using site = await prepared(3, { prepare: "test ! -e broken", rollout: { max_failures: 1 } });
  await site.host("web2").write("broken");
  const said = await deploy(site);
  expect(said.code).toBe(1);
  expect(site.told("web2")).toEqual([]);
  expect(said.err).toContain("web1, web3 are back in rotation; web2 is as it was found");
  expect(site.stateOf("web1")).toBe("ready");
});

test.concurrent("not more than ten nodes are prepared at once", async () => {
  await using site = await prepared(13, { rollout: { batch: 13, min_serving: 0 } });
  const said = await deploy(site);
  expect(said.code, said.err).toBe(0);
  let now = 0;
  let most = 0;
  for (const event of said.events) {
    if (event.type === "step started" && event.step === "prepare") now += 1;
    if (event.type === "step ended" && event.step === "prepare") now -= 1;
    most = Math.max(most, now);
  }
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(10);
});

test.concurrent("a rotation without an upgrade prepares nothing", async () => {
  await using site = await prepared(2);
  const { code, err } = await site.rota("rotate", "web1", "--set", "RELEASE=2");
  expect(code, err).toBe(0);
  expect(preparing(site, "web1")).toBe(0);
});

test.concurrent("where a later pool can't be prepared, the first does not leave either", async () => {
  await using site = await prepared(3, { prepare: "test ! -e broken" });
  await split(site);
  await site.host("web3").write("broken");
  const said = await deploy(site);
  expect(said.code).toBe(1);
  expect(said.err).toContain("web3 is as it was found; web1, web2 were not touched");
  expectNobodyLeft(site);
});

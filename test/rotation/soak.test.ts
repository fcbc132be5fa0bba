import { expect, test, vi } from "vitest";
import { pagedSite } from "../fakes/paged-site.ts";
import { type FakeSite, type Overrides, type Said, fakeSite } from "../fakes/site.ts";
import { ran } from "./released.ts";
import { loadOn } from "./traffic.ts";

const soaking = (nodes: number, rollout: Overrides = {}): Promise<FakeSite> =>
  fakeSite({ nodes, pool: { rollout: { soak: "400ms", min_serving: 1, ...rollout } } });

const deploy = (site: FakeSite, ...words: string[]): Promise<Said> =>
  site.rota("deploy", "--set", "RELEASE=2", "--json", ...words);

const saidBySoak = ({ events }: Said): string[] =>
  events.flatMap((event) => (event.type === "output" && event.step === "soak" ? [event.text] : []));

const soaked = ({ events }: Said): string[] =>
  events.flatMap((event) => (event.type === "step ended" && event.step === "soak" ? [event.node] : []));

test.concurrent("a good release goes through, and what was seen is said for each node", async () => {
  await using site = await soaking(3);
  using load = loadOn(site);
  load.fails.set("web2", 2);
  site.atStep("web2", "drain", () => load.fails.delete("web2")); // the new release mends that
  const said = await deploy(site);
  expect(said.code, said.err).toBe(0);
  const [first, second, third] = saidBySoak(said);
  expect(first).toMatch(/^[\d,]+ requests, 0 failed; its neighbours web2, web3: \d+ of [\d,]+$/);
  expect(second).toMatch(/^.* failed; its neighbour web3: 0 of [\d,]+$/);
  expect(third).toMatch(/^.* failed; itself before it left: 0 of [\d,]+$/);
  expect((await site.rota("show", "last", "web1")).out).toMatch(/✓ soak .*\n +[\d,]+ requests, 0 failed/);
  const shown = (await site.rota("show", "last")).out;
  expect(shown).toContain("k soak");
  expect(shown).toMatch(/web1 +back .*k/);
  const plan = (await site.rota("plan")).out;
  expect(plan).toContain("each batch is watched under traffic for 400ms once it is back");
  expect(plan).toMatch(/expected time: about \S+ \(\S+ a batch lately; 1.2s of it under watch\)/);
});

test.concurrent(
  "a worse canary is rolled back where the inventory says so; one that shows too little is not",
  async () => {
    await using site = await soaking(3, { on_failure: "rollback" });
    await ran(site, "1");
    using load = loadOn(site);
    site.atStep("web1", "soak", () => load.fails.set("web1", 20));
    const said = await deploy(site);
    expect(said.code).toBe(1);
    expect(said.err).toMatch(/web1: worse since it is back/);
    expect(said.err).toMatch(/run \w+ failed, and is rolled back by run \w+/);
    expect(said.err).toContain("left:  web1 is back in rotation; web2, web3 were not touched");
    expect(site.host("web1").commands.filter((command) => command.includes("upgrading"))).toHaveLength(2);
    expect((await site.rota("runs")).out).toMatch(/rollback fake RELEASE=1 +web1 +done/);

    await using quiet = await soaking(3, { on_failure: "rollback" });
    await ran(quiet, "1");
    const unsure = await deploy(quiet);
    expect(unsure.code).toBe(1);
    expect(unsure.err).toContain("its soak was not conclusive");
    expect((await quiet.rota("runs")).out).not.toContain("rollback");
  },
);

test.concurrent("a worse canary stops the run in rotation, with the numbers and what to type", async () => {
  await using site = await soaking(3, { max_failures: 2 });
  using load = loadOn(site);
  site.atStep("web1", "soak", () => load.fails.set("web1", 20));
  const said = await deploy(site);
  expect(said.code).toBe(1);
  expect(said.err).toMatch(
    /web1: worse since it is back: \d+ of \d+ requests failed \(\d+ %, \d+ of them answered 5xx\); its neighbours web2, web3: 0 of [\d,]+ \(0 %\)/,
  );
  expect(said.err).toContain("web1 is back in rotation; web2, web3 were not touched");
  expect(said.err).toMatch(
    /next: {2}rota drain web1 -i \S+ --reason TEXT, which takes web1 out; rota resume (\w+) -i \S+ --retry, which watches it once more; or rota resume \1 -i \S+ --skip web1, which goes on all the same/,
  );
  expect(said.events.at(-1)).toMatchObject({ type: "run ended", end: "failed", code: "SOAK_WORSE" });
  expect(site.stateOf("web1")).toBe("ready");
  expect(site.told("web2")).toEqual([]);
  expect((await site.rota("resume")).code).toBe(2); // not by itself

  load.fails.clear();
  const again = await site.rota("resume", "--retry", "--json");
  expect(again.code, again.err).toBe(0);
  expect(soaked(again)).toEqual(["web1", "web2", "web3"]);
  expect(site.host("web1").commands).toHaveLength(2); // one upgrade, one restart
});

test.concurrent("a person may go on after a bad soak, and that node is left as it is", async () => {
  await using site = await soaking(3);
  using load = loadOn(site);
  site.atStep("web1", "soak", () => load.fails.set("web1", 20));
  expect((await deploy(site)).code).toBe(1);
  const on = await site.rota("resume", "--skip", "web1", "--json");
  expect(on.code, on.err).toBe(0);
  expect(soaked(on)).toEqual(["web2", "web3"]);
  // What was upgraded is no neighbour to compare with.
  expect(saidBySoak(on)[0]).toContain("its neighbour web3:");
});

test.concurrent(
  "an idle pool is not conclusive: the run stops, or goes on where that is wanted",
  async () => {
    await using site = await soaking(2);
    const said = await deploy(site);
    expect(said.code).toBe(1);
    expect(said.err).toContain("its soak was not conclusive: 0 requests, 0 failed");
    expect(said.err).toContain("it takes 100 requests to tell");
    expect(said.events.at(-1)).toMatchObject({ code: "SOAK_INCONCLUSIVE" });
    expect(site.told("web2")).toEqual([]);

    await using other = await soaking(2, { inconclusive: "go-on" });
    const on = await deploy(other);
    expect(on.code, on.err).toBe(0);
    expect(on.out).toContain("goes on, as rollout.inconclusive says");
  },
);

test.concurrent("a node that goes down while it is watched is worse at once", async () => {
  await using site = await fakeSite({ nodes: 3, pool: { rollout: { soak: "60s", min_serving: 1 } } });
  using _ = loadOn(site);
  const began = performance.now();
  site.whenWaiting("web1", /nothing failed so far/, () => {
    const server = site.balancer("lb2").server("app", "web1");
    server.passes = false;
    setTimeout(() => (server.passes = true), 60); // and is up again before anybody looks
  });
  const said = await deploy(site);
  expect(said.code).toBe(1);
  expect(said.err).toContain(
    "web1: worse since it is back: it went down by HAProxy's own checks: lb2/app/web1",
  );
  expect(performance.now() - began).toBeLessThan(30_000);
});

test.concurrent("a batch is watched together, and the first that is back waits for the last", async () => {
  await using site = await soaking(4, { batch: 2 });
  using _ = loadOn(site);
  const said = await deploy(site);
  expect(said.code, said.err).toBe(0);
  const at = (type: string, step: string): number[] =>
    said.events.flatMap((event, i) =>
      event.type === type && "step" in event && event.step === step ? [i] : [],
    );
  const [, lastBack = 0] = at("step ended", "ready");
  const [firstDone = 0] = at("step ended", "soak");
  expect(lastBack).toBeLessThan(firstDone);
  expect(
    saidBySoak(said)
      .slice(0, 2)
      .every((text) => text.includes("its neighbours web3, web4:")),
  ).toBe(true);
});

test.concurrent("a node of the batch that fails keeps nobody waiting", async () => {
  await using site = await fakeSite({
    nodes: 4,
    pool: {
      restart: { run: '[ "$ROTA_NODE" != web2 ]' },
      rollout: { soak: "400ms", min_serving: 1, batch: 2, max_failures: 1 },
    },
  });
  using _ = loadOn(site);
  const said = await deploy(site);
  expect(said.code).toBe(1);
  expect(soaked(said).toSorted()).toEqual(["web1", "web3", "web4"]);
  expect(said.err).toContain("web2 is out of rotation");
});

test.concurrent("a balancer that is reloaded while it is asked begins anew, and is told", async () => {
  await using site = await fakeSite({ nodes: 3, pool: { rollout: { soak: "2s", min_serving: 1 } } });
  using _ = loadOn(site);
  site.whenWaiting("web1", /nothing failed so far/, () => site.balancer("lb1").reload());
  const said = await deploy(site, "web1");
  expect(said.code, said.err).toBe(0);
  expect(said.out).toContain("lb1 was reloaded: what it counts for the soak begins anew");
  const [, failed] = /(\d+) failed/.exec(saidBySoak(said).join()) ?? [];
  expect(failed).toBe("0");
});

test.concurrent("who takes the node out meanwhile ends the soak, and it is not called worse", async () => {
  await using site = await fakeSite({ nodes: 3, pool: { rollout: { soak: "60s", min_serving: 1 } } });
  using _ = loadOn(site);
  site.whenWaiting("web1", /nothing failed so far/, () => {
    site.balancer("lb1").server("app", "web1").admin = 1;
  });
  const said = await deploy(site);
  expect(said.code).toBe(1);
  expect(said.err).toContain("lb1/app/web1 shows MAINT: somebody took it out meanwhile");
});

test.concurrent(
  "rotate soaks, a single node is compared with itself, and by hand there is no soak",
  async () => {
    await using site = await soaking(1, { min_serving: 0 });
    using _ = loadOn(site);
    await vi.waitFor(() => expect(site.balancer("lb1").server("app", "web1").total).toBeGreaterThan(200));
    const said = await site.rota("rotate", "web1", "--set", "RELEASE=1", "--json");
    expect(said.code, said.err).toBe(0);
    expect(saidBySoak(said)[0]).toMatch(/itself before it left: 0 of \d+/);
    expect((await site.rota("drain", "web1", "--reason", "disk", "--force", "--yes")).code).toBe(0);
    const back = await site.rota("ready", "web1", "--json");
    expect(back.code, back.err).toBe(0);
    expect(soaked(back)).toEqual([]);
  },
);

test.concurrent("nodes that leave by their status page are watched as well", async () => {
  await using site = await pagedSite({ nodes: 2, pool: { rollout: { soak: "400ms", min_serving: 1 } } });
  using _ = loadOn(site);
  const said = await deploy(site);
  expect(said.code, said.err).toBe(0);
  expect(saidBySoak(said)[0]).toContain("its neighbour web2: 0 of");
});

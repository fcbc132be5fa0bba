/** `rollout.pipeline`: a batch leaves while the one before it is watched, and is not changed before its turn. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test, vi } from "vitest";
import type { Event } from "../../src/events/events.ts";
import { isMarked, pagedSite } from "../fakes/paged-site.ts";
import { type FakeSite, type Overrides, type Said, fakeSite } from "../fakes/site.ts";
import { loadOn } from "./traffic.ts";

vi.setConfig({ maxConcurrency: 4 });

const pipelined = (nodes: number, rollout: Overrides = {}, pool: Overrides = {}): Promise<FakeSite> =>
  fakeSite({
    nodes,
    pool: { ...pool, rollout: { soak: "1500ms", pipeline: true, min_serving: 1, ...rollout } },
  });

const deploy = (site: FakeSite, ...words: string[]): Promise<Said> =>
  site.rota("deploy", "--set", "RELEASE=2", "--json", ...words);

/** What was told of steps and ends: "web1 soak", "web1 soak ended", "web1 back", in order. */
const toldIn = ({ events }: Said): string[] =>
  events.flatMap((event: Event) => {
    if (event.type === "step started") return [`${event.node} ${event.step}`];
    if (event.type === "step ended") return [`${event.node} ${event.step} ended`];
    return event.type === "node ended" ? [`${event.node} ${event.end}`] : [];
  });

const waitsOf = ({ events }: Said, node: string): string[] =>
  events.flatMap((event) => (event.type === "waiting" && event.node === node ? [event.saw] : []));

function expectOrder(said: Said, ...wanted: string[]): void {
  const told = toldIn(said);
  expect(told.filter((one) => wanted.includes(one))).toEqual(wanted);
}

const saidBySoak = ({ events }: Said): string[] =>
  events.flatMap((event) => (event.type === "output" && event.step === "soak" ? [event.text] : []));

test.concurrent(
  "the next node is drained while one soaks, and changed once that has ended well",
  async () => {
    await using site = await pipelined(4);
    using _ = loadOn(site);
    const said = await deploy(site);
    expect(said.code, said.err).toBe(0);
    for (const [one, next] of [
      ["web1", "web2"],
      ["web2", "web3"],
      ["web3", "web4"],
    ] as const)
      expectOrder(
        said,
        `${one} soak`,
        `${next} drain`,
        `${next} settle ended`,
        `${one} soak ended`,
        `${next} upgrade`,
        `${next} soak`,
      );
    // At most one ahead.
    expectOrder(said, "web1 soak ended", "web2 soak", "web3 drain");
    expect(waitsOf(said, "web2")).toContain("waiting for the soak of web1");
    // Neither one that is watched still, nor one that leaves meanwhile, is a neighbour.
    const [first, second, third, fourth] = saidBySoak(said);
    expect(first).toContain("its neighbours web3, web4:");
    expect(second).toContain("its neighbour web4:");
    expect(third).toContain("itself before it left");
    expect(fourth).toContain("itself before it left");
    for (const name of site.names) expect(site.stateOf(name)).toBe("ready");
    // What it waited for its turn is no part of what a node takes.
    await using journal = await site.journal();
    const took = (await journal.lastRotations("fake")).toReversed()[1] ?? Infinity;
    const at = (type: Event["type"], step: string): number => {
      const event = said.events.find(
        (one) => one.type === type && "step" in one && one.node === "web2" && one.step === step,
      );
      return Date.parse(event?.at ?? "");
    };
    const waited = at("step started", "upgrade") - at("step ended", "settle");
    expect(waited).toBeGreaterThan(200);
    expect(took).toBeLessThanOrEqual(at("step ended", "ready") - at("step started", "survey") - waited + 50);
  },
);

test.concurrent(
  "a bad soak: the next one goes back as found, unchanged, and has its turn later",
  async () => {
    await using site = await pipelined(3);
    using load = loadOn(site);
    site.whenWaiting("web2", /waiting for the soak of web1/, () => load.fails.set("web1", 20));
    const said = await deploy(site);
    expect(said.code).toBe(1);
    expect(said.err).toMatch(/web1: worse since it is back/);
    expect(said.err).toContain(
      "left:  web1 is back in rotation; web2 is as it was found; web3 was not touched",
    );
    expect(said.out).toContain("web2 is as found: its turn did not come: the soak of web1 did not end well");
    expectOrder(said, "web1 soak", "web2 drain", "web2 settle ended", "web1 back", "web2 as found");
    expect(
      said.events.filter((event) => event.type === "node ended" && event.why !== undefined),
    ).toHaveLength(1);
    expect(said.events.at(-1)).toMatchObject({ type: "run ended", end: "failed", code: "SOAK_WORSE" });
    expect(site.stateOf("web2")).toBe("ready");
    expect(site.host("web2").commands).toEqual([]);
    expect(site.told("web3")).toEqual([]);
    await using journal = await site.journal();
    expect(await journal.absences("fake")).toEqual(new Map());
    expect((await site.rota("status")).out).toMatch(/web1 failed at soak; 2 had no turn/);

    load.fails.clear();
    const on = await site.rota("resume", "--skip", "web1", "--json");
    expect(on.code, on.err).toBe(0);
    expectOrder(on, "web2 soak", "web3 drain", "web2 soak ended", "web3 upgrade");
  },
);

test.concurrent("at a terminal it is one of the rest, not of those at which the run stopped", async () => {
  await using site = await pipelined(3, { soak: "3s" });
  using load = loadOn(site);
  site.whenSaid(/waiting for the soak of web1/, () => load.fails.set("web1", 20));
  const { code, asked } = await site.typing(["y"], "deploy", "--set", "RELEASE=2");
  expect(code).toBe(1);
  expect(asked).toMatch(/ {2}r {6}try web1 again, then the rest/);
  expect(asked).toMatch(/ {2}s {6}leave web1 as it is, go on with 2 nodes/);
});

test.concurrent("a soak that ends badly while the next one still settles ends that wait", async () => {
  await using site = await pipelined(3, {}, { drain: { within: "50s" } });
  using load = loadOn(site);
  site.atStep("web2", "drain", () => (site.balancer("lb1").server("app", "web2").sessions = 1));
  site.whenWaiting("web2", /1 session left/, () => load.fails.set("web1", 20));
  const began = performance.now();
  const said = await deploy(site);
  expect(said.code).toBe(1);
  expect(performance.now() - began).toBeLessThan(30_000);
  expect(said.err).toContain("web2 is as it was found; web3 was not touched");
  expect(site.stateOf("web2")).toBe("ready");
  expect(site.host("web2").commands).toEqual([]);
});

test.concurrent("sessions at the limit are not cut before the turn has come", async () => {
  await using site = await pipelined(3, { soak: "10s" }, { drain: { within: "1s", at_limit: "cut" } });
  using load = loadOn(site);
  site.atStep("web2", "drain", () => (site.balancer("lb1").server("app", "web2").sessions = 1));
  site.whenWaiting("web2", /waiting for the soak of web1/, () => load.fails.set("web1", 20));
  const said = await deploy(site);
  expect(said.code).toBe(1);
  expect(said.out).not.toContain("drain.at_limit is cut");
  expect(said.err).toContain("web2 is as it was found");
  expect(site.balancer("lb1").server("app", "web2").sessions).toBe(1);
  expect(site.stateOf("web2")).toBe("ready");
});

test.concurrent("where it can't be spared it waits, named, and leaves when it can", async () => {
  await using site = await pipelined(3, { min_serving: 2 }, { limits: { capacity: "20s" } });
  using _ = loadOn(site);
  const down = site.balancer("lb1").server("app", "web3");
  site.atStep("web1", "soak", () => Object.assign(down, { passes: false, operational: 0, health: 0 }));
  const commands = site.host("web2").commands;
  site.whenWaiting("web2", /2 of 3 serve, 2 must stay/, () => {
    expect(site.stateOf("web2")).toBe("ready");
    expect(commands).toEqual([]);
    setTimeout(() => (down.passes = true), 300);
  });
  const said = await deploy(site, "web1", "web2");
  expect(said.code, said.err).toBe(0);
  expect(waitsOf(said, "web2")[0]).toMatch(/lb1\/app: 2 of 3 serve, 2 must stay/);
});

test.concurrent("a canary is watched first, and without a soak nothing leaves ahead", async () => {
  await using site = await pipelined(3, { canary: 1, soak: "400ms" });
  using _ = loadOn(site);
  const plan = (await site.rota("plan")).out;
  expect(plan).toMatch(/ 2\. +web2 +serving meanwhile/);
  expect(plan).toMatch(/ 3\. +web3 \(leaves while 2\. soaks\) +serving meanwhile: lb1\/app 2 of 3 /);
  expect(plan).toContain("each batch counts as back while it is watched");
  const said = await deploy(site);
  expect(said.code, said.err).toBe(0);
  expectOrder(said, "web1 soak ended", "web2 survey", "web2 soak", "web3 survey", "web2 soak ended");

  await using other = await pipelined(2, { soak: undefined });
  const none = (await other.rota("plan")).out;
  expect(none).toContain("note: web: rollout.pipeline changes nothing without rollout.soak");
  expect(none).not.toContain("leaves while");
  const plain = await deploy(other);
  expect(plain.code, plain.err).toBe(0);
  expectOrder(plain, "web1 back", "web2 survey");
});

const here = (what: string) => ({ here: `echo "${what}" >> told` });
const toldHere = async (site: FakeSite): Promise<string[]> =>
  (await readFile(join(dirname(site.inventory), "told"), "utf8")).trimEnd().split("\n");

const hooks = {
  before_batch: here("before batch $ROTA_NODES"),
  after_batch: here("after batch $ROTA_NODES $ROTA_OUTCOME"),
  before_node: here("before $ROTA_NODE"),
  after_node: here("after $ROTA_NODE $ROTA_OUTCOME"),
};

test.concurrent(
  "hooks before it run before it is drained; those after it also where its turn is lost",
  async () => {
    await using site = await pipelined(3, {}, { hooks });
    using load = loadOn(site);
    site.whenWaiting("web3", /waiting for the soak of web2/, () => load.fails.set("web2", 20));
    const said = await deploy(site);
    expect(said.code).toBe(1);
    expect(await toldHere(site)).toEqual([
      "before batch web1",
      "before web1",
      "before batch web2",
      "before web2",
      "after web1 done",
      "after batch web1 done",
      "before batch web3",
      "before web3",
      "after web2 failed",
      "after batch web2 failed",
      "after web3 failed",
      "after batch web3 failed",
    ]);
  },
);

test.concurrent("a hook that fails stops it as well, whichever of them", async () => {
  await using site = await pipelined(3, {}, { hooks: { after_batch: { here: "false" } } });
  using _ = loadOn(site);
  const after = await deploy(site);
  expect(after.code).toBe(1);
  expect(after.err).toContain("hooks.after_batch: exit code 1");
  expect(after.err).toContain("web1 is back in rotation; web2 is as it was found; web3 was not touched");
  expect(site.host("web2").commands).toEqual([]);
  await using other = await pipelined(
    3,
    {},
    { hooks: { before_batch: { here: '[ "$ROTA_NODES" != web2 ]' } } },
  );
  using more = loadOn(other);
  const before = await deploy(other);
  expect(before.code).toBe(1);
  expect(before.err).toMatch(
    /hooks.before_batch: exit code 1[^]*web1 is back in rotation; web2, web3 were not/,
  );
  expect(toldIn(before)).toContain("web1 soak ended");
  expect(more.fails.size).toBe(0);
  expect(other.told("web2")).toEqual([]);
});

test.concurrent("where a node of the batch failed nobody leaves ahead", async () => {
  await using site = await pipelined(
    4,
    { batch: 2, max_failures: 1 },
    { restart: { run: '[ "$ROTA_NODE" != web2 ]' } },
  );
  using _ = loadOn(site);
  const said = await deploy(site);
  expect(said.err).toContain("web2 is out of rotation");
  expectOrder(said, "web1 soak ended", "web3 survey", "web3 soak ended");
});

test.concurrent(
  "a balancer that is reloaded while it waits: it is settled anew before it is changed",
  async () => {
    await using site = await pipelined(3);
    using _ = loadOn(site);
    site.whenWaiting("web2", /waiting for the soak of web1/, () => site.balancer("lb2").reload());
    const said = await deploy(site);
    expect(said.code, said.err).toBe(0);
    expect(said.out).toContain("no longer has web2 out; told again");
    expect(toldIn(said).filter((one) => one === "web2 settle ended")).toHaveLength(2);
    expectOrder(said, "web1 soak ended", "web2 upgrade");
  },
);

test.concurrent(
  "somebody puts it back while it waits, and nothing has come: it is out again before it is changed",
  async () => {
    await using site = await pipelined(3);
    using load = loadOn(site);
    const server = site.balancer("lb2").server("app", "web2");
    // No request comes that would tell.
    site.whenWaiting("web2", /waiting for the soak of web1/, () => {
      load.idle.add("web2");
      server.admin = 0;
    });
    let atUpgrade = "";
    site.atStep("web2", "upgrade", () => {
      atUpgrade = site.balancer("lb2").stateOf("app", "web2");
      load.idle.delete("web2");
    });
    const said = await deploy(site);
    expect(said.code, said.err).toBe(0);
    expect(toldIn(said).filter((one) => one === "web2 settle ended")).toHaveLength(2);
    expect(atUpgrade).not.toBe("ready");
  },
);

/** web1 comes back once the journal has the pause. */
async function pausedBeforeItIsBack(site: FakeSite): Promise<Said> {
  const server = site.balancer("lb1").server("app", "web1");
  await new Promise<void>((restarts) => site.atStep("web1", "restart", restarts));
  server.passes = false;
  const said = await site.rota("pause");
  server.passes = true;
  return said;
}

test.concurrent("a pause while one soaks holds the next one before it leaves", async () => {
  await using site = await pipelined(3);
  using _ = loadOn(site);
  const paused = pausedBeforeItIsBack(site);
  let left: string[] = [];
  const resumed = new Promise<void>((done) => {
    const watching = setInterval(() => {
      void (async () => {
        await using journal = await site.journal();
        const [run] = await journal.runs("fake", 1);
        const whole = run && (await journal.run(run.run));
        if (!whole?.trips.some(({ node }) => node === "web1")) return;
        clearInterval(watching);
        left = site.told("web2");
        await site.rota("resume");
        done();
      })();
    }, 200);
  });
  const said = await deploy(site);
  await resumed;
  await paused;
  expect(said.code, said.err).toBe(0);
  expect(said.out).toContain("paused by");
  expect(left).toEqual([]);
  // Nor is it a neighbour, though it serves: it may leave at any moment.
  expect(saidBySoak(said)[0]).toContain("its neighbour web3:");
});

test.concurrent(
  "a node that leaves by its status page: its page is well again where its turn is lost",
  async () => {
    await using site = await pagedSite({
      nodes: 3,
      pool: { rollout: { soak: "5s", pipeline: true, min_serving: 1 } },
    });
    using load = loadOn(site);
    let wasOut = false;
    site.whenWaiting("web2", /waiting for the soak of web1/, () => {
      wasOut = isMarked(site, "web2");
      load.fails.set("web1", 20);
    });
    const said = await deploy(site);
    expect(said.code).toBe(1);
    expect(wasOut).toBe(true);
    expect(said.err).toContain("web2 is as it was found; web3 was not touched");
    expect(isMarked(site, "web2")).toBe(false);
    expect(site.host("web2").commands.filter((command) => command.includes("upgrading"))).toEqual([]);
  },
);

test.concurrent("a bad soak ends the run, though a person paused it before the next one left", async () => {
  await using site = await pipelined(3, { soak: "10s" });
  using load = loadOn(site);
  const paused = pausedBeforeItIsBack(site);
  site.whenWaiting("web1", /nothing failed so far/, () => load.fails.set("web1", 20));
  const said = await deploy(site);
  expect(said.code).toBe(1);
  expect((await paused).code).toBe(0);
  expect(said.out).toContain("paused by");
  expect(said.err).toContain("web1 is back in rotation; web2, web3 were not touched");
});

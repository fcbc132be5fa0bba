/** A run that ends while a node waits ahead of its turn (`rollout.pipeline`): by signals, and by SIGKILL. */
import { beforeAll, expect, test } from "vitest";
import { buildProgram, runUntilKilled } from "../fakes/program.ts";
import { type FakeSite, type Said, fakeSite } from "../fakes/site.ts";
import { loadOn } from "./traffic.ts";

beforeAll(buildProgram);

const pipelined = (soak: string): Promise<FakeSite> =>
  fakeSite({ nodes: 3, pool: { rollout: { soak, pipeline: true, min_serving: 1 } } });

const deploy = (site: FakeSite): Promise<Said> => site.rota("deploy", "--set", "RELEASE=2", "--json");

const signal = (): void => void process.emit("SIGTERM", "SIGTERM");

const stepsOf = ({ events }: Said): string[] =>
  events.flatMap((event) => (event.type === "step started" ? [`${event.node} ${event.step}`] : []));

const waiting = /waiting for the soak of web1/;

// Signals are heard by every run of this process, so these tests run one after the other.

test.each([
  ["one signal", 1],
  ["two signals", 2],
])("%s while it waits: it goes back as found, unchanged, and a resume does it", async (_name, times) => {
  await using site = await pipelined("60s");
  using _ = loadOn(site);
  site.whenWaiting("web2", waiting, () => {
    for (let i = 0; i < times; i++) signal();
  });
  const began = performance.now();
  const said = await deploy(site);
  expect(said.code).toBe(4);
  expect(performance.now() - began).toBeLessThan(30_000);
  expect(said.err).toContain("web1 is back in rotation; web2 is as it was found; web3 was not touched");
  expect(said.out).toContain("web2 is as found: its turn did not come: the run was stopped");
  expect(said.events.at(-1)).toMatchObject({ end: "interrupted", code: "INTERRUPTED" });
  expect(site.stateOf("web2")).toBe("ready");
  expect(site.host("web2").commands).toEqual([]);
  await using journal = await site.journal();
  expect(await journal.absences("fake")).toEqual(new Map());
  expect((await site.rota("status")).out).toMatch(/web1 was at soak; 2 had no turn: rota resume/);
});

test("a signal while it waits to be spared: nothing was done with it", async () => {
  await using site = await fakeSite({
    nodes: 3,
    pool: { rollout: { soak: "60s", pipeline: true, min_serving: 2 }, limits: { capacity: "10m" } },
  });
  using _ = loadOn(site);
  site.whenWaiting("web2", /must stay/, signal);
  const down = site.balancer("lb1").server("app", "web3");
  site.atStep("web1", "soak", () => Object.assign(down, { passes: false, operational: 0, health: 0 }));
  const spared = await site.rota("deploy", "web1", "web2", "--set", "RELEASE=2", "--json");
  expect(spared.code).toBe(4);
  expect(spared.err).toContain("web1 is back in rotation; web2 was not touched");
  expect(site.told("web2")).toEqual([]);
});

/** Killed while web1 soaks, and web2 is drained and waits for it. */
const killedAhead = (site: FakeSite): Promise<string> =>
  runUntilKilled(
    { type: "step ended", node: "web2", step: "settle" },
    ["deploy", "-i", site.inventory, "--set", "RELEASE=2"],
    { env: site.env },
  );

test("killed while it waits: a resume watches first, then does it, before any other", async () => {
  await using site = await pipelined("600ms");
  using _ = loadOn(site);
  await killedAhead(site);
  expect(site.stateOf("web2")).toBe("drain");
  expect((await site.rota("status")).out).toMatch(/web1 was at soak; web2 was at settle; 1 had no turn/);
  const on = await site.rota("resume", "--json");
  expect(on.code, on.err).toBe(0);
  const steps = stepsOf(on);
  expect(steps[0]).toBe("web1 soak");
  expect(steps.indexOf("web2 upgrade")).toBeGreaterThan(0);
  expect(steps.indexOf("web3 drain")).toBeGreaterThan(steps.indexOf("web2 soak"));
  for (const name of site.names) expect(site.stateOf(name)).toBe("ready");
});

test("killed while it waits, and worse: the resume stops before it is changed", async () => {
  await using site = await pipelined("1500ms");
  using load = loadOn(site);
  await killedAhead(site);
  load.fails.set("web1", 20);
  const on = await site.rota("resume", "--json");
  expect(on.code).toBe(1);
  expect(on.err).toMatch(/web1: worse since it is back/);
  expect(stepsOf(on)).toEqual(["web1 soak"]);
  expect(site.host("web2").commands).toEqual([]);
});

test("killed while it waits: an abort holds it as any drained node, and ready brings it back", async () => {
  await using site = await pipelined("600ms");
  using _ = loadOn(site);
  await killedAhead(site);
  const { code, err, out } = await site.rota("abort", "--yes");
  expect(code, err).toBe(0);
  expect(err).toContain("web2 stays out, and is held");
  expect(out).toContain("held: web2");
  expect(site.stateOf("web1")).toBe("ready");
  const back = await site.rota("ready", "web2", "--set", "RELEASE=1");
  expect(back.code, back.err).toBe(0);
  expect(site.stateOf("web2")).toBe("ready");
});

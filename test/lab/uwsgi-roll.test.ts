/** uWSGI's workers, replaced one by one under load; every way and fault, with boots of three seconds, with CHAOS=full. */
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { startLoad } from "./load.ts";
import { rollUnderLoad, type Rolling } from "./rolling.ts";
import type { Fault, Rolled } from "./rolls.ts";
import { startUwsgi } from "./uwsgi.ts";

const isFull = process.env["CHAOS"] === "full";
const perSecond = 60;

function expectNothingLost({ load, fewestReady, text }: Rolling, ready: number): void {
  expect(load, text).toMatchObject({ lost: 0, examples: [] });
  expect(load.sent).toBeGreaterThan(50);
  expect(fewestReady, text).toBeGreaterThanOrEqual(ready);
}

test("under load, workers are replaced one by one: nothing is lost, three of four are always ready, and a release whose third worker can't be imported goes back", async () => {
  await using uwsgi = await startUwsgi({ bootSeconds: 0.7 });
  const good = await rollUnderLoad(uwsgi, await uwsgi.switchTo("2"));
  expect(good.code, good.text).toBe(0);
  expectNothingLost(good, 3);
  expect(await uwsgi.runs()).toEqual(["2", "2", "2", "2"]);

  const bad = await rollUnderLoad(uwsgi, await uwsgi.switchTo("3", "third-import"));
  expect(bad.code, bad.text).toBe(1);
  expect(bad.text).toContain("ModuleNotFoundError: No module named 'a_module_that_does_not_exist'");
  expectNothingLost(bad, 3);
  expect(await uwsgi.runs()).toEqual(["2", "2", "2", "2"]);
});

/** What the app's clients wait while nothing is replaced. */
async function calmP99(uwsgi: Rolled): Promise<number> {
  await using load = await startLoad({ urls: [uwsgi.url], perSecond });
  await wait(25_000);
  return (await load.stop()).p99;
}

test.runIf(isFull).each(["workers", "spare", "chain"] as const)(
  "boots of three seconds are added up, and nobody waits longer (%s)",
  async (way) => {
    await using uwsgi = await startUwsgi({ bootSeconds: 3, spare: way === "spare" });
    const calm = await calmP99(uwsgi);
    const words = { workers: [], spare: ["--spare"], chain: ["--how", "chain"] }[way];
    const switched = await uwsgi.switchTo("2");
    const good = await rollUnderLoad(uwsgi, ["--fifo", uwsgi.fifo, ...words, ...switched], perSecond);
    expect(good.code, good.text).toBe(0);
    expectNothingLost(good, way === "spare" ? 4 : 3);
    expect(good.mostProcesses).toBe(way === "spare" ? 5 : 4);
    const reloads = good.events.filter(({ state, new: isNew }) => state === "ready" && isNew).length;
    expect(good.seconds / (reloads * good.bootSeconds), good.text).toBeLessThanOrEqual(1.25);
    expect(good.load.p99 / calm).toBeLessThanOrEqual(1.5);
    expect(await uwsgi.runs()).toHaveLength(4);
    expect(new Set(await uwsgi.runs())).toEqual(new Set(["2"]));
  },
);

test.runIf(isFull).each<{ fault: Fault; why: string; spare?: true }>([
  { fault: "import", why: "ModuleNotFoundError" },
  { fault: "exit", why: "SystemExit" },
  { fault: "killed", why: "ended while it booted" },
  { fault: "hang", why: "is not ready" },
  { fault: "status-500", why: "/_status answers 500 in the worker: fault status-500" },
  { fault: "status-raises", why: "RuntimeError: the status page fell over" },
  { fault: "status-hangs", why: "/_status did not answer within 5 s in the worker" },
  { fault: "third-import", why: "ModuleNotFoundError" },
  { fault: "third-status-500", why: "/_status answers 500 in the worker: fault status-500" },
  { fault: "import", why: "ModuleNotFoundError", spare: true },
  { fault: "third-status-500", why: "/_status answers 500 in the worker: fault status-500", spare: true },
])(
  "a release with the fault $fault never serves alone, and is gone ten seconds after it is seen (spare: $spare)",
  async ({ fault, why, spare }) => {
    await using uwsgi = await startUwsgi({ bootSeconds: 3, spare: spare ?? false });
    const limit = ["--fifo", uwsgi.fifo, "--boot-within", fault === "hang" ? "6" : "30"];
    const bad = await rollUnderLoad(uwsgi, [...limit, ...(await uwsgi.switchTo("2", fault))], perSecond);
    expect(bad.code, bad.text).toBe(1);
    expect(bad.text).toContain(why);
    expectNothingLost(bad, spare ? 4 : 3);
    expect(bad.secondsBroken, bad.text).toBeLessThanOrEqual(10);
    expect(await uwsgi.runs()).toEqual(["1", "1", "1", "1"]);
  },
);

test.runIf(isFull)(
  "a chain that is stuck in the middle is freed, and no second worker is taken while it ends",
  async () => {
    await using uwsgi = await startUwsgi({ bootSeconds: 3 });
    const words = ["--how", "chain", "--fifo", uwsgi.fifo, ...(await uwsgi.switchTo("2", "third-import"))];
    const bad = await rollUnderLoad(uwsgi, words, perSecond);
    expect(bad.code, bad.text).toBe(1);
    expect(bad.text).toContain("the chain is stuck at worker 3, and can't be stopped");
    expectNothingLost(bad, 3);
    expect(await uwsgi.runs()).toEqual(["1", "1", "1", "1"]);
  },
);

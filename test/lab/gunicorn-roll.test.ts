/** gunicorn's workers, replaced one by one under load; every class, version and fault with CHAOS=full. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { rollUnderLoad, type Rolling } from "./rolling.ts";
import { startLoad } from "./load.ts";
import { startRolled, type RolledOptions, type Version, type WorkerClass } from "./rolled.ts";
import type { Fault } from "./rolls.ts";

const isFull = process.env["CHAOS"] === "full";
const keeps = (options: RolledOptions): RolledOptions => ({ ...options, words: ["--keep-alive", "30"] });

function expectNothingLost({ load, fewestReady, text }: Rolling, ready = 4): void {
  expect(load, text).toMatchObject({ lost: 0, examples: [] });
  expect(load.sent).toBeGreaterThan(50);
  expect(fewestReady, text).toBeGreaterThanOrEqual(ready);
}

test("under load and on kept connections, gthread workers are replaced one by one: nothing is lost, four are always ready, and a release whose third worker is ill goes back", async () => {
  await using gunicorn = await startRolled(keeps({ workerClass: "gthread", bootSeconds: 1 }));
  const good = await rollUnderLoad(gunicorn, await gunicorn.switchTo("2"));
  expect(good.code, good.text).toBe(0);
  expectNothingLost(good);
  expect(good.mostProcesses).toBe(5);
  expect(await gunicorn.runs()).toEqual(["2", "2", "2", "2"]);

  const bad = await rollUnderLoad(gunicorn, await gunicorn.switchTo("3", "third-status-500"));
  expect(bad.code, bad.text).toBe(1);
  expect(bad.text).toContain("/_status answers 500 in the worker: fault status-500");
  expectNothingLost(bad);
  expect(await gunicorn.runs()).toEqual(["2", "2", "2", "2"]);
});

test("a roll that lasts longer than a killed one is remembered for knows its own workers to the end", async () => {
  await using gunicorn = await startRolled({ bootSeconds: 1 });
  const roll = join(gunicorn.folder, "roll.py");
  const text = await readFile(roll, "utf8");
  const hasty = text.replace("FORGOTTEN_AFTER = 60.0", "FORGOTTEN_AFTER = 0.5");
  expect(hasty).not.toBe(text);
  await writeFile(roll, hasty);
  const {
    code,
    seconds,
    text: said,
  } = await rollUnderLoad(gunicorn, [...(await gunicorn.switchTo("2")), "--boot-within", "2"]);
  expect(code, said).toBe(0);
  expect(seconds).toBeGreaterThan(2.5); // or nothing was to be forgotten
});

test.runIf(isFull)(
  "boots of a minute: nothing is lost, and hardly any time beyond them",
  { timeout: 900_000 },
  async () => {
    const words = ["--timeout", "120"];
    await using gunicorn = await startRolled({ workerClass: "gthread", bootSeconds: 60, words });
    const one = await rollUnderLoad(gunicorn, await gunicorn.switchTo("2"), 40);
    console.log(figures("a boot of a minute", one, 0));
    expect(one.code, one.text).toBe(0);
    expectNothingLost(one);
    expect(one.seconds / (4 * one.bootSeconds)).toBeLessThanOrEqual(1.05);
  },
);

test.runIf(isFull)(
  "all four at once, and a release that can't be imported goes back, its error shown",
  async () => {
    await using gunicorn = await startRolled({ bootSeconds: 1 });
    const good = await rollUnderLoad(gunicorn, [...(await gunicorn.switchTo("2")), "--surge", "4"]);
    expect(good.code, good.text).toBe(0);
    expectNothingLost(good);
    expect(good.seconds / good.bootSeconds, good.text).toBeLessThan(4); // 1 s of it is the look at the end
    expect(await gunicorn.runs()).toEqual(["2", "2", "2", "2"]);

    const bad = await rollUnderLoad(gunicorn, await gunicorn.switchTo("3", "import"));
    expect(bad.code, bad.text).toBe(1);
    expect(bad.text).toContain("No module named 'a_module_that_does_not_exist'");
    expectNothingLost(bad);
    expect(await gunicorn.runs()).toEqual(["2", "2", "2", "2"]);
  },
);

const versions: Version[] = ["20.1", "23.0"];
const classes: WorkerClass[] = ["sync", "gthread", "gevent", "tornado"];
const faults: Fault[] = ["import", "exit", "killed", "hang", "status-500", "status-raises", "status-hangs"];
const thirds: Fault[] = ["third-import", "third-status-500"];

const figures = (name: string, what: Rolling, base: number): string =>
  `${name}: sent ${what.load.sent}, lost ${what.load.lost}, ready >= ${what.fewestReady}, processes <= ${what.mostProcesses}, ` +
  `${what.seconds.toFixed(1)} s, boot ${what.bootSeconds.toFixed(2)} s, ratio ${(what.seconds / what.bootSeconds).toFixed(2)} boots, ` +
  `p99 ${what.load.p99} / ${base} ms, broken for ${what.secondsBroken.toFixed(1)} s`;

async function p99Without(url: string): Promise<number> {
  await using load = await startLoad({ urls: [url], perSecond: 60 });
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  return (await load.stop()).p99;
}

const matrix = versions.flatMap((version) =>
  classes.flatMap((workerClass) => [false, true].map((kept) => ({ version, workerClass, kept }))),
);

test.runIf(isFull).each(matrix)(
  "gunicorn $version, $workerClass, kept connections: $kept: the figures of four workers and 3 s of boot",
  { timeout: 300_000 },
  async ({ version, workerClass, kept }) => {
    await using gunicorn = await startRolled({
      version,
      workerClass,
      bootSeconds: 3,
      words: ["--keep-alive", kept ? "30" : "0"],
    });
    const base = await p99Without(gunicorn.url);
    const one = await rollUnderLoad(gunicorn, await gunicorn.switchTo("2"));
    console.log(figures(`${version} ${workerClass} kept ${kept} surge 1`, one, base));
    const all = await rollUnderLoad(gunicorn, [...(await gunicorn.switchTo("3")), "--surge", "4"]);
    console.log(figures(`${version} ${workerClass} kept ${kept} surge 4`, all, base));
    expect(one.code, one.text).toBe(0);
    expect(all.code, all.text).toBe(0);
    expectNothingLost(one);
    expectNothingLost(all);
    expect(one.seconds / (4 * one.bootSeconds)).toBeLessThanOrEqual(
      /sync|gthread/.test(workerClass) ? 1.2 : 2.2,
    );
    expect(all.seconds / all.bootSeconds).toBeLessThanOrEqual(2);
    expect(one.load.p99 / base).toBeLessThanOrEqual(1.5);
  },
);

const ills = versions.flatMap((version) => [...faults, ...thirds].map((fault) => ({ version, fault })));

test.runIf(isFull).each(ills)(
  "gunicorn $version: a release with the fault $fault loses nothing and is gone within 10 s",
  { timeout: 300_000 },
  async ({ version, fault }) => {
    await using gunicorn = await startRolled({ version, workerClass: "gthread", bootSeconds: 3 });
    const limits = fault === "hang" ? ["--boot-within", "8"] : [];
    const bad = await rollUnderLoad(gunicorn, [...(await gunicorn.switchTo("2", fault)), ...limits]);
    console.log(figures(`${version} ${fault}`, bad, 0));
    expect(bad.code, bad.text).toBe(1);
    expectNothingLost(bad);
    expect(bad.secondsBroken).toBeLessThan(10);
    expect(await gunicorn.runs()).toEqual(["1", "1", "1", "1"]);
  },
);

/** What uWSGI's roll.py and guard do when something is not as it should be: real uWSGI, quick boots, no load. */
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import { runs, signal } from "./family.ts";
import type { Rolled, RollRun } from "./rolls.ts";
import { startUwsgi } from "./uwsgi.ts";
import { waitFor } from "./wait.ts";

const untilSaid = (roll: RollRun, word: RegExp): Promise<void> =>
  waitFor(`the roll to say ${word}`, 20_000, async () =>
    roll.events.some(({ text }) => word.test(text))
      ? yes(undefined)
      : notYet(roll.events.at(-1)?.text ?? "nothing"),
  );

async function expectRuns(uwsgi: Rolled, ...releases: string[]): Promise<void> {
  expect(await uwsgi.runs()).toEqual(releases);
}

const isFull = process.env["CHAOS"] === "full";

describe.concurrent("a roll", () => {
  test("is refused where uWSGI runs without lazy-apps, without the guard, or with another's fifo, and nothing is touched", async () => {
    await using eager = await startUwsgi({ workers: 2, lazy: false });
    await using plain = await startUwsgi({ workers: 1, guard: false });
    const before = eager.workers();
    const words = await eager.switchTo("2");
    const roll = await eager.roll(...words).ended;
    expect(roll.code, roll.text).toBe(64);
    expect(roll.text).toContain("lazy-apps");
    const guardless = await plain.roll("--notice", "state").ended;
    expect(guardless.code, guardless.text).toBe(64);
    expect(guardless.text).toContain("rota hooks uwsgi");
    const wrong = await eager.roll("--how", "reload", "--fifo", plain.fifo).ended;
    expect(wrong.code, wrong.text).toBe(64);
    expect(wrong.text).toContain("is not read by uWSGI");
    const spare = await plain.roll("--spare", "--fifo", plain.fifo).ended;
    expect(spare.code, spare.text).toBe(64);
    expect(spare.text).toContain("there is no spare worker");
    expect(eager.workers()).toEqual(before);
  });

  test("that goes wrong without a release to go back to says who runs what, and a second one repairs it", async () => {
    await using uwsgi = await startUwsgi({ workers: 2 });
    const back = await uwsgi.switchTo("2", "status-raises");
    const bad = await uwsgi.roll().ended;
    expect(bad.code, bad.text).toBe(2);
    expect(bad.text).toContain("RuntimeError: the status page fell over");
    expect(bad.text).toMatch(/left: worker 2 \(\d+\) ready, runs \S+\/releases\/1\n/);
    await uwsgi.switchTo("3");
    const good = await uwsgi.roll(...back).ended;
    expect(good.code, good.text).toBe(0);
    await expectRuns(uwsgi, "3", "3");
  });

  test("notices workers that don't follow the link", async () => {
    await using uwsgi = await startUwsgi({ workers: 2, follows: "folder" });
    const lie = await uwsgi.roll(...(await uwsgi.switchTo("2"))).ended;
    expect(lie.code, lie.text).toBe(1);
    expect(lie.text).toContain("does not follow the link");
    await expectRuns(uwsgi, "1", "1");
  });

  test.runIf(isFull)("follows a chdir through the link, for a relative module", async () => {
    await using uwsgi = await startUwsgi({ workers: 2, follows: "chdir" });
    const good = await uwsgi.roll(...(await uwsgi.switchTo("2"))).ended;
    expect(good.code, good.text).toBe(0);
    await expectRuns(uwsgi, "2", "2");
  });

  test("whose agent is killed is repaired by the next one; two at once are not possible", async () => {
    await using uwsgi = await startUwsgi({ workers: 2, bootSeconds: 0.5, spare: true });
    const back = [...(await uwsgi.switchTo("2")), "--fifo", uwsgi.fifo];
    const killed = uwsgi.roll(...back);
    await untilSaid(killed, /booting/);
    const second = await uwsgi.roll(...back).ended;
    expect(second.code, second.text).toBe(75);
    signal(killed.child.pid ?? 0, "SIGKILL");
    await killed.ended;
    await uwsgi.untilReady(3);
    const repair = await uwsgi.roll(...back).ended;
    expect(repair.code, repair.text).toBe(0);
    await expectRuns(uwsgi, "2", "2");
  });

  test("by uWSGI's own chain is watched; one that is stuck is said, freed, and put back", async () => {
    await using uwsgi = await startUwsgi({ workers: 2 });
    const chain = ["--how", "chain", "--fifo", uwsgi.fifo];
    const good = await uwsgi.roll(...chain, ...(await uwsgi.switchTo("2"))).ended;
    expect(good.code, good.text).toBe(0);
    await expectRuns(uwsgi, "2", "2");
    const bad = await uwsgi.roll(...chain, ...(await uwsgi.switchTo("3", "import"))).ended;
    expect(bad.code, bad.text).toBe(1);
    expect(bad.text).toContain("the chain is stuck at worker 1");
    await expectRuns(uwsgi, "2", "2");
  });

  test.runIf(isFull)("by a chain that a file begins, whose second worker is ill", async () => {
    await using uwsgi = await startUwsgi({ workers: 3, touch: true });
    const chain = ["--how", "chain", "--touch", join(uwsgi.folder, "touch")];
    const good = await uwsgi.roll(...chain, ...(await uwsgi.switchTo("2"))).ended;
    expect(good.code, good.text).toBe(0);
    const bad = await uwsgi.roll(...chain, ...(await uwsgi.switchTo("3", "third-import"))).ended;
    expect(bad.code, bad.text).toBe(1);
    expect(bad.text).toContain("the chain is stuck at worker 3");
    await expectRuns(uwsgi, "2", "2", "2");
  });

  test("by a reload has one worker try the release first, and all new ones then", async () => {
    await using uwsgi = await startUwsgi({ workers: 2 });
    const reload = ["--how", "reload", "--fifo", uwsgi.fifo];
    const before = uwsgi.workers();
    const bad = await uwsgi.roll(...reload, ...(await uwsgi.switchTo("2", "import"))).ended;
    expect(bad.code, bad.text).toBe(1);
    expect(bad.text).toContain("a_module_that_does_not_exist");
    expect(uwsgi.workers()).toContain(before[1]);
    const good = await uwsgi.roll(...reload, ...(await uwsgi.switchTo("3"))).ended;
    expect(good.code, good.text).toBe(0);
    expect(uwsgi.workers().filter((pid) => before.includes(pid))).toEqual([]);
    await expectRuns(uwsgi, "3", "3");
  });

  test.runIf(isFull)("by a reload without lazy-apps goes back where the app can't be loaded", async () => {
    await using uwsgi = await startUwsgi({ workers: 2, lazy: false });
    const reload = ["--how", "reload", "--fifo", uwsgi.fifo, "--boot-within", "10"];
    const good = await uwsgi.roll(...reload, ...(await uwsgi.switchTo("2"))).ended;
    expect(good.code, good.text).toBe(0);
    await expectRuns(uwsgi, "2", "2");
    const bad = await uwsgi.roll(...reload, ...(await uwsgi.switchTo("3", "import"))).ended;
    expect(bad.code, bad.text).toBe(1);
    await expectRuns(uwsgi, "2", "2");
  });

  test("by the stats server alone stops at the first worker without an app, and says what it is worth", async () => {
    await using uwsgi = await startUwsgi({ workers: 2, guard: false });
    const before = uwsgi.workers();
    const good = await uwsgi.roll(...(await uwsgi.switchTo("2"))).ended;
    expect(good.code, good.text).toBe(0);
    expect(good.text).toContain("notice: none");
    expect(uwsgi.workers().filter((pid) => before.includes(pid))).toEqual([]);
    const [, second = 0] = uwsgi.workers();
    const bad = await uwsgi.roll(...(await uwsgi.switchTo("3", "import"))).ended;
    expect(bad.code, bad.text).toBe(1);
    expect(bad.text).toContain("it accepts, but has no app");
    expect(uwsgi.workers()).toContain(second);
    await uwsgi.untilReady(2);
  });

  test.runIf(isFull)(
    "by the stats server alone warns of workers that work in the folder behind the link",
    async () => {
      await using uwsgi = await startUwsgi({ workers: 1, guard: false, follows: "chdir" });
      const lie = await uwsgi.roll(...(await uwsgi.switchTo("2"))).ended;
      expect(lie.text).toContain("a relative module stays the old one");
      expect(await fetch(`${uwsgi.url}/`).then((answer) => answer.text())).toMatch(/^release 1 /);
    },
  );

  test.runIf(isFull)(
    "goes on after its session is gone, and survives a worker that dies meanwhile; threads are no matter",
    async () => {
      await using uwsgi = await startUwsgi({ workers: 2, bootSeconds: 0.5, more: ["threads = 2"] });
      const roll = uwsgi.roll(...(await uwsgi.switchTo("2")));
      await untilSaid(roll, /booting/);
      signal(roll.child.pid ?? 0, "SIGHUP");
      signal((await uwsgi.accepting())[0] ?? 0, "SIGKILL");
      const { code, text } = await roll.ended;
      expect(code, text).toBe(0);
      await expectRuns(uwsgi, "2", "2");
    },
  );

  test.runIf(isFull).each([false, true])(
    "stops between two workers when it is told to, and goes on when it is run again (spare: %s)",
    async (spare) => {
      await using uwsgi = await startUwsgi({ workers: 3, bootSeconds: 0.5, spare });
      const back = [...(await uwsgi.switchTo("2")), ...(spare ? ["--fifo", uwsgi.fifo] : [])];
      const roll = uwsgi.roll(...back);
      await untilSaid(roll, /booting/);
      signal(roll.child.pid ?? 0, "SIGTERM");
      const { code, text } = await roll.ended;
      expect(code, text).toBe(2);
      expect((await uwsgi.runs()).toSorted()).toEqual(["1", "1", "2"]);
      expect((await uwsgi.roll(...back).ended).code).toBe(0);
      await expectRuns(uwsgi, "2", "2", "2");
    },
  );

  test.runIf(isFull)("waits for workers that max-requests ends meanwhile", async () => {
    await using uwsgi = await startUwsgi({ workers: 2, bootSeconds: 0.5, more: ["max-requests = 3"] });
    const roll = uwsgi.roll(...(await uwsgi.switchTo("2")));
    while (roll.child.exitCode === null) await fetch(`${uwsgi.url}/`);
    const { code, text } = await roll.ended;
    expect(code, text).toBe(0);
    await uwsgi.untilReady(2);
    await expectRuns(uwsgi, "2", "2");
  });

  test.runIf(isFull)("needs as long as a worker's last request, and says when that is too long", async () => {
    await using uwsgi = await startUwsgi({ workers: 1 });
    const slow = fetch(`${uwsgi.url}/slow?ms=3000`).then((answer) => answer.text());
    const late = uwsgi.roll("--drain-within", "2", ...(await uwsgi.switchTo("2")));
    const { code, text } = await late.ended;
    expect(text).toContain("still has requests 2 s after it was told to end");
    expect(code, text).toBe(1);
    expect(await slow).toMatch(/^release 1 /);
    await expectRuns(uwsgi, "1");
  });
});

test.for(isFull ? [[], ["need-app = true"]] : [["need-app = true"]])(
  "an ill app starts nonetheless, and workers whose release is ill wait aside while others serve (%s)",
  async (more) => {
    await using uwsgi = await startUwsgi({ workers: 2, more });
    await uwsgi.switchTo("2", "import");
    signal(uwsgi.workers()[0] ?? 0, "SIGKILL");
    await waitFor("the worker to wait aside", 20_000, async () =>
      (await uwsgi.log()).includes("can't serve: Traceback") ? yes(undefined) : notYet("nothing in the log"),
    );
    expect(await fetch(`${uwsgi.url}/`).then((answer) => answer.text())).toMatch(/^release 1 on /);
    expect(runs(uwsgi.pid)).toBe(true);
    await uwsgi.switchTo("3", "status-500");
    for (const pid of uwsgi.workers()) signal(pid, "SIGKILL");
    await waitFor("the ill release to serve", 20_000, async () => {
      const seen = (await uwsgi.runs()).join(" and ");
      return seen === "3 and 3" ? yes(undefined) : notYet(seen);
    });
  },
);

test("nothing is left behind, neither on the disk nor with the master", async () => {
  await using uwsgi = await startUwsgi({ workers: 1 });
  const files = async (): Promise<string[]> =>
    [...(await readdir(uwsgi.folder)), ...(await readdir(tmpdir()))].filter((name) =>
      /^(rota-board|current|roll)/.test(name),
    );
  const before = await files();
  const { code, text } = await uwsgi.roll(...(await uwsgi.switchTo("2"))).ended;
  expect(code, text).toBe(0);
  expect(await files()).toEqual(before);
});

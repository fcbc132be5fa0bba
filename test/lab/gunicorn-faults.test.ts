/** What roll.py does when something is not as it should be: real gunicorn, quick boots, no load. */
import dgram from "node:dgram";
import { readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import { runs, signal } from "./family.ts";
import { startRolled } from "./rolled.ts";
import type { Rolled, RollRun } from "./rolls.ts";
import { waitFor } from "./wait.ts";

const untilSaid = (roll: RollRun, word: RegExp): Promise<void> =>
  waitFor(`the roll to say ${word}`, 20_000, async () =>
    roll.events.some(({ text }) => word.test(text))
      ? yes(undefined)
      : notYet(roll.events.at(-1)?.text ?? "nothing"),
  );

async function expectRuns(gunicorn: Rolled, ...releases: string[]): Promise<void> {
  expect(await gunicorn.runs()).toEqual(releases);
}

const isFull = process.env["CHAOS"] === "full";

describe.concurrent("a roll", () => {
  test("is refused where the app is preloaded, and nothing is touched", async () => {
    await using gunicorn = await startRolled({ workers: 2, words: ["--preload"] });
    const before = gunicorn.workers();
    const roll = await gunicorn.roll(...(await gunicorn.switchTo("2"))).ended;
    expect(roll.code, roll.text).toBe(64);
    expect(roll.text).toContain("preload");
    const hup = await gunicorn.roll("--hup").ended;
    expect(hup.code, hup.text).toBe(64);
    expect(gunicorn.workers()).toEqual(before);
  });

  test("that goes wrong without a release to go back to says who runs what, and a second one repairs it", async () => {
    await using gunicorn = await startRolled({ workers: 2 });
    const back = await gunicorn.switchTo("2", "status-raises");
    const bad = await gunicorn.roll().ended;
    expect(bad.code, bad.text).toBe(2);
    expect(bad.text).toContain("RuntimeError: the status page fell over");
    expect(bad.text).toMatch(/left: worker \d+ ready, runs \S+\/releases\/1\n/);
    await gunicorn.switchTo("3");
    const good = await gunicorn.roll(...back).ended;
    expect(good.code, good.text).toBe(0);
    await expectRuns(gunicorn, "3", "3");
  });

  test("notices workers that don't follow the link", async () => {
    await using gunicorn = await startRolled({ workers: 2, follows: "folder" });
    const lie = await gunicorn.roll(...(await gunicorn.switchTo("2"))).ended;
    expect(lie.code, lie.text).toBe(1);
    expect(lie.text).toContain("does not follow the link");
    await expectRuns(gunicorn, "1", "1");
  });

  test("whose agent is killed is repaired by the next one; two at once are not possible", async () => {
    await using gunicorn = await startRolled({ workers: 2, bootSeconds: 0.5 });
    const back = await gunicorn.switchTo("2");
    const killed = gunicorn.roll(...back);
    await untilSaid(killed, /booting/);
    const second = await gunicorn.roll(...back).ended;
    expect(second.code, second.text).toBe(75);
    signal(killed.child.pid ?? 0, "SIGKILL");
    await killed.ended;
    await gunicorn.untilReady(3);
    const repair = await gunicorn.roll(...back).ended;
    expect(repair.code, repair.text).toBe(0);
    await expectRuns(gunicorn, "2", "2");
  });

  test.runIf(isFull)(
    "goes on after its session is gone, keeps a single worker's place, and survives a worker that dies meanwhile",
    async () => {
      await using gunicorn = await startRolled({ workers: 1, bootSeconds: 0.5 });
      const roll = gunicorn.roll(...(await gunicorn.switchTo("2")));
      await untilSaid(roll, /booting/);
      signal(roll.child.pid ?? 0, "SIGHUP");
      signal(gunicorn.workers()[0] ?? 0, "SIGKILL");
      const { code, text } = await roll.ended;
      expect(code, text).toBe(0);
      await expectRuns(gunicorn, "2");
    },
  );

  test.runIf(isFull)(
    "stops between two workers when it is told to, and goes on when it is run again",
    async () => {
      await using gunicorn = await startRolled({ workers: 2, bootSeconds: 0.5 });
      const back = await gunicorn.switchTo("2");
      const roll = gunicorn.roll(...back);
      await untilSaid(roll, /booting/);
      signal(roll.child.pid ?? 0, "SIGTERM");
      const { code, text } = await roll.ended;
      expect(code, text).toBe(2);
      expect((await gunicorn.runs()).toSorted()).toEqual(["1", "2"]);
      expect((await gunicorn.roll(...back).ended).code).toBe(0);
      await expectRuns(gunicorn, "2", "2");
    },
  );

  test.runIf(isFull)("says when a boot is longer than gunicorn's own --timeout", async () => {
    await using gunicorn = await startRolled({ workers: 2, words: ["--timeout", "2"] });
    const bad = await gunicorn.roll(...(await gunicorn.switchTo("2", "hang"))).ended;
    expect(bad.code, bad.text).toBe(1);
    expect(bad.text).toContain("still booting after gunicorn's --timeout of 2 s");
    await expectRuns(gunicorn, "1", "1");
  });

  test("by two at once tells each old worker to end, also while the one before it still answers", async () => {
    await using gunicorn = await startRolled({ workers: 3 });
    const back = await gunicorn.switchTo("2");
    // Longer than two boots: sync workers answer one request at a time, so that all three are busy.
    const long = Array.from({ length: 3 }, () => fetch(`${gunicorn.url}/slow?ms=3000`));
    const { code, text } = await gunicorn.roll("--surge", "2", ...back).ended;
    expect(code, text).toBe(0);
    expect((await Promise.all(long)).map(({ status }) => status)).toEqual([200, 200, 200]);
    await expectRuns(gunicorn, "2", "2", "2");
  });

  test("by HUP has all workers new, and goes back where they can't load", async () => {
    await using gunicorn = await startRolled({ workers: 2 });
    const before = gunicorn.workers();
    const good = await gunicorn.roll("--hup", ...(await gunicorn.switchTo("2"))).ended;
    expect(good.code, good.text).toBe(0);
    expect(gunicorn.workers().filter((pid) => before.includes(pid))).toEqual([]);
    await expectRuns(gunicorn, "2", "2");
    const bad = await gunicorn.roll("--hup", ...(await gunicorn.switchTo("3", "import"))).ended;
    expect(bad.code, bad.text).toBe(1);
    await expectRuns(gunicorn, "2", "2");
  });

  test.runIf(isFull)(
    "keeps the hooks of the configuration file that is there, and one that raises is BROKEN",
    async () => {
      const conf = join(import.meta.dirname, "app/gunicorn.conf.py");
      await using gunicorn = await startRolled({ workers: 2, env: { GUNICORN_ROTA_CONF: conf } });
      expect(await gunicorn.log()).toContain("the site's own hook ran");
      const back = await gunicorn.switchTo("2");
      await writeFile(join(gunicorn.release("2"), "HOOK-RAISES"), "");
      const bad = await gunicorn.roll(...back).ended;
      expect(bad.code, bad.text).toBe(1);
      expect(bad.text).toContain("the site's own hook fell over");
      expect(runs(gunicorn.pid)).toBe(true);
      await expectRuns(gunicorn, "1", "1");
    },
  );

  test.runIf(isFull)("waits for workers that max_requests ends meanwhile", async () => {
    await using gunicorn = await startRolled({
      workers: 2,
      bootSeconds: 0.5,
      words: ["--max-requests", "3"],
    });
    const roll = gunicorn.roll(...(await gunicorn.switchTo("2")));
    while (roll.child.exitCode === null)
      await fetch(`${gunicorn.url}/`, { headers: { connection: "close" } });
    const { code, text } = await roll.ended;
    expect(code, text).toBe(0);
    await gunicorn.untilReady(2);
    await expectRuns(gunicorn, "2", "2");
  });

  test.runIf(isFull)(
    "by the classic notice hears `200 OK` on a UDP port from hooks that are there, and says what it is worth",
    async () => {
      const conf = join(import.meta.dirname, "app/classic.conf.py");
      const port = await freeUdpPort();
      await using gunicorn = await startRolled({
        workers: 2,
        words: ["--config", conf],
        env: { NOTICE_PORT: `${port}` },
      });
      const words = ["--notice", "udp", "--udp-port", `${port}`];
      const before = gunicorn.workers();
      await gunicorn.switchTo("2");
      const good = await gunicorn.roll(...words).ended;
      expect(good.code, good.text).toBe(0);
      expect(good.text).toContain("can be sent by anybody");
      expect(gunicorn.workers().filter((pid) => before.includes(pid))).toEqual([]);
      const bad = await gunicorn.roll(...words, ...(await gunicorn.switchTo("3", "status-500"))).ended;
      expect(bad.code, bad.text).toBe(1);
      expect(bad.text).toContain("500");
    },
  );
});

test("an ill app starts nonetheless, and workers whose release is ill wait aside while others serve", async () => {
  await using gunicorn = await startRolled({ workers: 2 });
  await gunicorn.switchTo("2", "import");
  signal(gunicorn.workers()[0] ?? 0, "SIGKILL");
  await waitFor("the worker to wait aside", 20_000, async () =>
    (await gunicorn.log()).includes("this worker can't serve")
      ? yes(undefined)
      : notYet("nothing in the log"),
  );
  expect(await fetch(`${gunicorn.url}/`).then((answer) => answer.text())).toMatch(/^release 1 on /);
  expect(runs(gunicorn.pid)).toBe(true);
  await gunicorn.switchTo("3", "status-500");
  signal(gunicorn.workers().at(-1) ?? 0, "SIGTERM"); // it leaves its place at once
  await waitFor("the ill release to serve beside the old one", 20_000, async () => {
    const seen = (await gunicorn.runs()).toSorted().join(" and ");
    return seen === "1 and 3" ? yes(undefined) : notYet(seen);
  });
});

test("nothing is left behind, neither on the disk nor with the master", async () => {
  await using gunicorn = await startRolled({ workers: 1 });
  const files = async (): Promise<string[]> =>
    [...(await readdir(gunicorn.folder)), ...(await readdir(tmpdir()))].filter((name) =>
      /rota-|^current|roll/.test(name),
    );
  const before = await files();
  const { code, text } = await gunicorn.roll(...(await gunicorn.switchTo("2"))).ended;
  expect(code, text).toBe(0);
  expect(await files()).toEqual(before);
});

async function freeUdpPort(): Promise<number> {
  const socket = dgram.createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}

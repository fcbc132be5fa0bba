/** Releases that rota brings itself, by real sshds and onto real gunicorns, under load. */
import { readFile, readdir, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeRelease } from "../fakes/release.ts";
import { reportCase } from "./cases.ts";
import type { Overrides } from "./inventory.ts";
import { startLab, type Lab } from "./lab.ts";
import { startLoad } from "./load.ts";
import { runRota, type Ended } from "./rota.ts";
import { needsRoot } from "./systemd.ts";

const bytes = 20_000_000;

const makeFor = async (
  lab: Lab,
  release: string,
  size: number,
  files: Record<string, string> = {},
): Promise<void> => {
  const app = await readFile(join(import.meta.dirname, "app/app.py"), "utf8");
  const path = join(lab.folder, `build-${release}.tar.gz`);
  await makeRelease(path, { "app.py": app, RELEASE: `${release}\n`, ...files }, size);
};

const isFull = process.env["CHAOS"] === "full";

const broken: Record<string, Record<string, string>> = {
  "that answers 500": {
    "app.py": 'def application(_, start):\n    start("500 Oops", [])\n    return [b""]\n',
  },
  ...(isFull
    ? {
        "that does not start": { "app.py": "raise RuntimeError()\n" },
        "that answers as the one before": { RELEASE: "3\n" },
      }
    : {}),
};

const withReleases = (lab: Lab, more: Overrides = {}, rest: Overrides = {}): Promise<string> =>
  lab.inventory(
    {
      release: { upload: "build-{RELEASE}.tar.gz", to: `${lab.folder}/{node}` },
      upgrade: undefined,
      ...more,
    },
    rest,
  );

const deploy = (lab: Lab, inventory: string, release: string, ...nodes: string[]): Promise<Ended> =>
  runRota(lab, ["deploy", ...nodes, "-i", inventory, "--set", `RELEASE=${release}`, "--json"]);

/** Milliseconds that its nodes were out. */
const outOf = ({ events }: Ended): number[] =>
  events.flatMap((event) => (event.type === "node ended" ? [event.outMs] : []));

const endsOf = ({ events }: Ended): string[][] =>
  events.flatMap((event) => (event.type === "node ended" ? [[event.node, event.end]] : []));

const median = (numbers: number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;

test.skipIf(needsRoot)(
  "20 MB for four nodes with systemd units lose no request, keep no node out for longer, and a broken release goes back",
  async ({ task }) => {
    await using lab = await startLab({
      nodes: isFull ? 4 : 2,
      bootSeconds: 0.5,
      systemd: { sudo: "nothing" },
    });
    await makeFor(lab, "3", bytes);
    const restart = { via: "systemd", unit: "my_app", run: undefined };
    const rest = { ssh: { user: "deploy", sudo: true } };
    const fast = { restart, check: { within: "4s" }, rollout: { on_failure: "rollback" } };
    const [plain, inventory] = [await lab.inventory({ restart }, rest), await withReleases(lab, fast, rest)];
    await using load = await startLoad({ urls: lab.balancers.map(({ url }) => url), maxSeconds: 200 });
    const without = await deploy(lab, plain, "2", "web1");
    expect(without.code, without.stderr).toBe(0);
    const ended = await deploy(lab, inventory, "3");
    for (const [i, [what, files]] of Object.entries(broken).entries()) {
      await makeFor(lab, `${i + 4}`, 1_000, files);
      const failed = await deploy(lab, inventory, `${i + 4}`);
      expect(failed.code, failed.stderr).toBe(1);
      expect(failed.stderr, what).toContain("is rolled back by run");
      expect(endsOf(failed)).toEqual([
        ["web1", "out"],
        ["web1", "back"],
      ]);
    }
    await lab.untilAllInRotation();
    const report = await load.stop();
    reportCase(task, "a 20 MB release over nodes with systemd, and a broken one that goes back", report);
    const prepared = ended.events.flatMap((event) =>
      event.type === "step ended" && event.step === "prepare" ? [event.ms] : [],
    );
    const [before, after] = [median(outOf(without)), median(outOf(ended))];
    process.stdout.write(
      `out ${before} ms without releases, ${after} ms with; brought in ${Math.max(...prepared)} ms; ` +
        `${JSON.stringify({ sent: report.sent, lost: report.lost })}\n`,
    );
    expect(ended.code, ended.stderr).toBe(0);
    for (const node of lab.nodes) {
      expect(await node.release()).toBe("3");
      expect(await readlink(join(node.folder, "current"))).toMatch(/^releases\/3-[0-9a-f]{12}$/);
      if (node.name !== "web1")
        expect(await readlink(join(node.folder, "previous"))).toMatch(/^releases\/[12]$/);
      expect(await readdir(join(node.folder, "home/.cache/rota/uploads"))).toEqual([]);
    }
    expect(report).toMatchObject({ lost: 0, lostBy: {}, examples: [] });
    // Generous: both are the same restart, on a machine that may be busy.
    expect(after).toBeLessThan(1.5 * before + 500);
  },
);

test("an app that was restarted in an older release is a failed node, however well it answers", async () => {
  await using lab = await startLab({ nodes: 2, balancers: 1, workers: 1, bootSeconds: 0.1 });
  await makeFor(lab, "2", 1_000);
  const web1 = lab.node("web1");
  // As a unit does whose WorkingDirectory was looked up once.
  const appctl = join(web1.folder, "appctl");
  await writeFile(
    appctl,
    (await readFile(appctl, "utf8")).replaceAll("$NODE_HOME/current", "$NODE_HOME/releases/1"),
  );
  const proof = { pidfile: web1.pidFile };
  const inventory = await withReleases(lab, {
    nodes: { web2: undefined },
    restart: { via: "command", run: 'cd "$NODE_HOME" && ./appctl restart', proof },
    check: { body: undefined },
    rollout: { min_serving: 1 },
  });
  const ended = await deploy(lab, inventory, "2");
  expect(ended.code, ended.stderr).toBe(1);
  expect(ended.stderr).toMatch(
    /web1 was restarted, and process \d+ works in .*releases\/1, not in .*releases\/2-/,
  );
  expect(ended.stderr).toContain("WorkingDirectory");
  expect(ended.stderr).toContain("web1 is out of rotation");
});

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeRelease } from "../fakes/release.ts";
import { startLab } from "./lab.ts";
import { startLoad } from "./load.ts";
import { runRota } from "./rota.ts";

test(
  "in rotation, uWSGI's workers are replaced one by one; a release that can't be imported is BROKEN, its error shown, and the old one serves alone",
  { timeout: 120_000 },
  async () => {
    await using lab = await startLab({ nodes: 2, balancers: 1, uwsgi: true, workers: 3, bootSeconds: 0.5 });
    const restart = {
      via: "uwsgi",
      run: undefined,
      stats: `${lab.folder}/{node}/app.stats`,
      fifo: `${lab.folder}/{node}/app.fifo`,
    };
    const app = await readFile(join(import.meta.dirname, "app/app.py"), "utf8");
    const build = (release: string, text: string) =>
      makeRelease(join(lab.folder, `build-${release}.tar.gz`), { "app.py": text, RELEASE: `${release}\n` });
    await Promise.all([build("2", app), build("3", "raise RuntimeError('no database')\n")]);
    const release = { upload: "build-{RELEASE}.tar.gz", to: `${lab.folder}/{node}` };
    const inventory = await lab.inventory({
      restart,
      release,
      upgrade: undefined,
      drain: { via: "none" },
    });
    const deploy = (wanted: string) =>
      runRota(lab, ["deploy", "-i", inventory, "--set", `RELEASE=${wanted}`, "--yes"]);
    const releases = () => Promise.all(lab.nodes.map((node) => node.release()));
    const before = await Promise.all(lab.nodes.map((node) => node.pid()));
    await using load = await startLoad({
      urls: lab.balancers.map(({ url }) => url),
      perSecond: 60,
      maxSeconds: 100,
    });
    const done = await deploy("2");
    expect(done.code, done.stderr).toBe(0);
    expect(await releases()).toEqual(["2", "2"]);

    const nowhere = await lab.inventory({ restart: { ...restart, stats: "/run/{node}/nowhere" }, release });
    const refused = await runRota(lab, ["deploy", "-i", nowhere, "--set", "RELEASE=2", "--yes"]);
    expect(refused.stderr).toContain("nothing answers at /run/web1/nowhere as uWSGI's stats server does");
    expect(refused.code).toBe(3);

    const broken = await deploy("3");
    expect(broken.code, broken.stderr).toBe(1);
    expect(broken.stderr).toMatch(/BROKEN: worker 1 \(\d+\) can't serve[^]*RuntimeError: no database/);
    expect(broken.stderr).toContain("web1 serves with its old release, alone; web2 was not touched");
    expect(await load.stop()).toMatchObject({ lost: 0, examples: [] });
    expect(await releases()).toEqual(["2", "2"]);
    expect(await Promise.all(lab.nodes.map((node) => node.pid()))).toEqual(before);
  },
);

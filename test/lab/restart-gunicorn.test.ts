import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeRelease } from "../fakes/release.ts";
import { startLab } from "./lab.ts";
import { startLoad } from "./load.ts";
import { runRota } from "./rota.ts";

test(
  "a second gunicorn master takes over; one that does not boot leaves the first one running",
  { timeout: 120_000 },
  async () => {
    await using lab = await startLab({ nodes: 2, balancers: 1 });
    const restart = { via: "gunicorn", run: undefined, pidfile: "{APP_PID}", boot_within: "20s" };
    const deploy = (inventory: string, release: string) =>
      runRota(lab, ["deploy", "-i", inventory, "--set", `RELEASE=${release}`, "--yes"]);
    const inventory = await lab.inventory({ restart });
    await using load = await startLoad({ urls: lab.balancers.map(({ url }) => url), maxSeconds: 100 });

    const before = await Promise.all(lab.nodes.map((node) => node.pid()));
    const done = await deploy(inventory, "2");
    expect(done.code, done.stderr).toBe(0);
    const after = await Promise.all(lab.nodes.map((node) => node.pid()));
    expect(after.filter((pid) => pid === undefined || before.includes(pid))).toEqual([]);
    expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["2", "2"]);

    const upgrade =
      'cd "$NODE_HOME" && ./switch-release "$RELEASE" && echo "raise RuntimeError()" > current/app.py';
    const broken = await deploy(await lab.inventory({ restart, upgrade }), "3");
    expect(broken.code, broken.stderr).toBe(1);
    expect(broken.stderr).toMatch(/the second master ended .*; the first master, \d+, runs on/);
    expect(broken.stderr).toContain("web1 is out of rotation");
    expect(await lab.node("web1").pid()).toBe(after[0]);
    expect(await lab.node("web1").release()).toBe("2");
    expect(await load.stop()).toMatchObject({ lost: 0, examples: [] });
  },
);

test(
  "workers are replaced one by one, two at once: the master stays; a release that can't be imported is BROKEN, its error shown, and the old one serves alone",
  { timeout: 120_000 },
  async () => {
    await using lab = await startLab({ nodes: 2, balancers: 1, hook: true });
    const restart = { via: "gunicorn", run: undefined, pidfile: "{APP_PID}", how: "workers", surge: 2 };
    const deploy = (inventory: string, release: string) =>
      runRota(lab, ["deploy", "-i", inventory, "--set", `RELEASE=${release}`, "--yes"]);
    const before = await Promise.all(lab.nodes.map((node) => node.pid()));
    const release = { upload: "build-{RELEASE}.tar.gz", to: `${lab.folder}/{node}` };
    const app = await readFile(join(import.meta.dirname, "app/app.py"), "utf8");
    await makeRelease(join(lab.folder, "build-2.tar.gz"), { "app.py": app, RELEASE: "2\n" });
    await using load = await startLoad({ urls: lab.balancers.map(({ url }) => url), maxSeconds: 100 });
    // In rotation all the time.
    const inRotation = { restart, release, upgrade: undefined, drain: { via: "none" } };
    const done = await deploy(await lab.inventory(inRotation), "2");
    expect(done.code, done.stderr).toBe(0);
    expect(await Promise.all(lab.nodes.map((node) => node.pid()))).toEqual(before);
    expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["2", "2"]);

    const ill = join(lab.node("web1").folder, "no-database");
    const guard =
      'import os\nif os.path.exists(os.environ["NODE_HOME"] + "/no-database"):\n    raise OSError("no database")\n';
    await makeRelease(join(lab.folder, "build-3.tar.gz"), { "app.py": guard + app, RELEASE: "3\n" });
    await writeFile(ill, "");
    const wentBack = await deploy(await lab.inventory(inRotation), "3");
    expect(wentBack.code, wentBack.stderr).toBe(1);
    expect(wentBack.stderr).toMatch(/BROKEN: worker \d+ can't serve[^]*OSError: no database/);
    expect(wentBack.stderr).toContain("web1 serves with its old release, alone; web2 was not touched");
    const page = new Set(await Promise.all(Array.from({ length: 12 }, () => lab.node("web1").release())));
    expect([...page]).toEqual(["2"]);
    await rm(ill);
    const resumed = await runRota(lab, ["resume", "-i", await lab.inventory(inRotation), "--retry", "--yes"]);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(await load.stop()).toMatchObject({ lost: 0, examples: [] });
    expect(await Promise.all(lab.nodes.map((node) => node.pid()))).toEqual(before);
    expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["3", "3"]);
    const shown = await runRota(lab, ["show", "last", "web1"]);
    expect(shown.stdout).toMatch(/worker \d+ booted in .*; the old one, \d+, ended in /);

    const upgrade =
      'cd "$NODE_HOME" && ./switch-release "$RELEASE" && echo "raise RuntimeError(\'no database\')" > current/app.py';
    const broken = await deploy(await lab.inventory({ restart, upgrade }), "4");
    expect(broken.code, broken.stderr).toBe(1);
    expect(broken.stderr).toContain("BROKEN");
    expect(broken.stderr).toContain("no database");
    expect(broken.stderr).toContain("web1 is out of rotation");
    expect(await lab.node("web2").release()).toBe("3");
  },
);

/** What a rollback must not get wrong: releases that failed in between, runs that go on meanwhile, links moved by hand. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test, vi } from "vitest";
import { makeRelease } from "../fakes/release.ts";
import { type Overrides, fakeSite } from "../fakes/site.ts";
import { currentOf, outcomeOf, ran, siteOf } from "./released.ts";

vi.setConfig({ maxConcurrency: 4 });

/** Releases "1" … "3"; what begins with "bad" does not start. */
async function releaseSite(pool: Overrides = {}, nodes = 2, to = "{node}") {
  const apps = await mkdtemp(join(tmpdir(), "rota-apps-"));
  const release = { upload: "build-{RELEASE}.tar.gz", to: `${apps}/${to}`, keep: 1 };
  const site = await fakeSite({
    nodes,
    pool: {
      release,
      upgrade: undefined,
      restart: { run: `case $(cat "${apps}/$ROTA_NODE/current/app") in bad*) exit 3 ;; esac` },
      rollout: { min_serving: nodes > 1 ? 1 : 0 },
      ...pool,
    },
  });
  const make = (name: string): Promise<string> =>
    makeRelease(join(dirname(site.inventory), `build-${name}.tar.gz`), { app: name });
  return {
    site,
    make,
    deploy: async (name: string) => {
      await make(name);
      return site.rota("deploy", "--set", `RELEASE=${name}`);
    },
    current: async (node: string) => (await readlink(join(apps, node, "current"))).split("-")[0],
    at: (...path: string[]) => join(apps, ...path),
    async [Symbol.asyncDispose]() {
      await site[Symbol.asyncDispose]();
      await rm(apps, { recursive: true, force: true });
    },
  };
}

test.concurrent("a rollback goes past a release that failed, also where nothing but it is kept", async () => {
  await using parts = await releaseSite();
  const { site, current } = parts;
  expect((await parts.deploy("1")).code).toBe(0);
  expect((await parts.deploy("bad")).code).toBe(1);
  expect(await current("web1")).toBe("releases/bad");
  const third = await parts.deploy("3");
  expect(third.code, third.err).toBe(0);
  const back = await site.rota("rollback");
  expect(back.code, back.err).toBe(0);
  expect(back.err).toContain("web1 goes back to RELEASE=1");
  expect([await current("web1"), await current("web2")]).toEqual(["releases/1", "releases/1"]);
});

test.concurrent("a run that found its release on the node is undone to the good one before it", async () => {
  await using parts = await releaseSite({ restart: { run: "test ! -e broken" } }, 1);
  const { site, current } = parts;
  expect((await parts.deploy("1")).code).toBe(0);
  const broken = join(site.host("web1").folder, "broken");
  await writeFile(broken, "");
  expect((await parts.deploy("2")).code).toBe(1);
  await rm(broken);
  const again = await parts.deploy("2"); // current leads to it already
  expect(again.code, again.err).toBe(0);
  const back = await site.rota("rollback");
  expect(back.code, back.err).toBe(0);
  expect(await current("web1")).toBe("releases/1");
});

test.concurrent("a rollback that failed goes on to the same release", async () => {
  await using parts = await releaseSite({ restart: { run: "test ! -e broken" } });
  const { site, current } = parts;
  expect((await parts.deploy("1")).code).toBe(0);
  const broken = join(site.host("web1").folder, "broken");
  await writeFile(broken, "");
  expect((await parts.deploy("2")).code).toBe(1);
  await rm(broken);
  expect((await parts.deploy("3")).code).toBe(0);
  await writeFile(broken, "");
  expect((await site.rota("rollback")).code).toBe(1);
  await rm(broken);
  const back = await site.rota("resume", "--retry");
  expect(back.code, back.err).toBe(0);
  expect([await current("web1"), await current("web2")]).toEqual(["releases/1", "releases/1"]);
});

test.concurrent("a release that the restarted app does not run is undone by on_failure too", async () => {
  const pids = await mkdtemp(join(tmpdir(), "rota-pids-"));
  const pidfile = `${pids}/web1`;
  const end = async (): Promise<void> => {
    const pid = Number(await readFile(pidfile, "utf8").catch(() => NaN));
    if (pid > 1) process.kill(pid);
  };
  // It always starts in the folder of release 1.
  const run = `
[ ! -e ${pidfile} ] || kill "$(cat ${pidfile})"
cd "$ROTA_RELEASE_DIR"/../1-*
sleep 300 >/dev/null 2>&1 &
echo $! >${pidfile}`;
  await using parts = await releaseSite(
    { restart: { run, proof: { pidfile } }, rollout: { min_serving: 0, on_failure: "rollback" } },
    1,
  );
  try {
    const first = await parts.deploy("1");
    expect(first.code, first.err).toBe(0);
    const { code, err } = await parts.deploy("2");
    expect(code).toBe(1);
    expect(err).toMatch(/web1 was restarted, and process \d+ works in/);
    expect(err).toMatch(/is rolled back by run/);
    expect(await parts.current("web1")).toBe("releases/1");
    expect(parts.site.stateOf("web1")).toBe("ready");
  } finally {
    await end();
    await rm(pids, { recursive: true });
  }
});

test.concurrent("a link that was moved by hand is seen by a resume, and switched again", async () => {
  await using parts = await releaseSite({ restart: { run: "test ! -e broken" } }, 1);
  const { site, current, at } = parts;
  expect((await parts.deploy("1")).code).toBe(0);
  const first = await readlink(at("web1", "current"));
  const broken = join(site.host("web1").folder, "broken");
  await writeFile(broken, "");
  expect((await parts.deploy("2")).code).toBe(1);
  await rm(broken);
  await rm(at("web1", "current"));
  await symlink(first, at("web1", "current"));
  const resumed = await site.rota("resume", "--retry");
  expect(resumed.code, resumed.err).toBe(0);
  expect(await current("web1")).toBe("releases/2");
});

test.concurrent("two nodes of one host may not share the folder of their releases", async () => {
  await using parts = await releaseSite({}, 2, "app");
  const text = await readFile(parts.site.inventory, "utf8");
  const { port } = parts.site.host("web1");
  await writeFile(
    parts.site.inventory,
    text.replaceAll(`port: ${parts.site.host("web2").port}`, `port: ${port}`),
  );
  const said = await parts.deploy("1");
  expect(said.code, said.err).toBe(2);
  expect(said.err).toMatch(
    /release.to .* of web2 is \S+, as of web1 on the same host: write \{node\} into it/,
  );
  expect(existsSync(parts.at("app"))).toBe(false);
});

test.concurrent("a rollback that waited for the lease does not go by what was so before", async () => {
  await using site = await siteOf();
  await ran(site, "1");
  const second = await ran(site, "2", ["web1"]);
  await using journal = await site.journal();
  const claim = { fleet: "fake", by: "eva", command: "deploy", reason: undefined, pid: process.pid };
  const taken = await journal.take({ ...claim, host: "elsewhere", started: "1" });
  if ("heldBy" in taken) throw new Error("the lease is held");
  const holder = journal.under("fake", taken.epoch);
  const waiting = site.rota("rollback", second, "--wait", "30s");
  let meanwhile: Promise<unknown> = Promise.resolve();
  const waits = new Promise<void>((resolve) =>
    site.whenSaid(/^waiting for the lease/, () => {
      meanwhile = (async () => {
        const set = { RELEASE: "3" };
        const start = { command: "deploy", fleet: "fake", by: "eva", reason: undefined, args: {} } as const;
        const run = await holder.begin({ ...start, set, nodes: ["web1"] });
        await holder.stepStarted(run, "web1", "upgrade");
        await holder.stepEnded(run, "web1", "upgrade", "done");
        await holder.nodeEnded(run, "web1", "back");
        await holder.end(run, "done");
        await journal.release("fake", taken.epoch);
        resolve();
      })();
    }),
  );
  await waits;
  await meanwhile;
  const { code, err } = await waiting;
  expect(code, err).toBe(3);
  expect(err).toMatch(/web1 was changed since by run \w+ \(deploy RELEASE=3\)/);
  expect(site.told("web1")).toEqual([]);
  expect(await outcomeOf(site, second)).toBe("done");
});

test.concurrent("nodes that the run reached meanwhile are not forgotten by its rollback", async () => {
  await using site = await siteOf();
  await ran(site, "1");
  await using journal = await site.journal();
  const claim = { fleet: "fake", by: "eva", command: "deploy", reason: undefined, pid: process.pid };
  const taken = await journal.take({ ...claim, host: "elsewhere", started: "1" });
  if ("heldBy" in taken) throw new Error("the lease is held");
  const holder = journal.under("fake", taken.epoch);
  const start = { command: "deploy", fleet: "fake", by: "eva", reason: undefined, args: {} } as const;
  const run = await holder.begin({ ...start, set: { RELEASE: "2" }, nodes: site.names });
  const upgrade = async (node: string): Promise<void> => {
    await holder.stepStarted(run, node, "upgrade");
    await holder.stepEnded(run, node, "upgrade", "done");
    await holder.nodeEnded(run, node, "back");
  };
  await upgrade("web1");
  const told = new Promise<void>((resolve) => site.whenSaid(/^waiting for the lease/, resolve));
  const waiting = site.rota("rollback", "--wait", "30s");
  await told;
  await upgrade("web2");
  await holder.end(run, "done");
  await journal.release("fake", taken.epoch);
  const { code, err } = await waiting;
  expect(code, err).toBe(3);
  expect(err).toContain(`run ${run} or another went on meanwhile`);
  expect(await outcomeOf(site, run)).toBe("done");
  expect((await site.rota("rollback")).code).toBe(0);
  expect(await currentOf(site)).toEqual(["1", "1", "1"]);
});

test.concurrent("a switch of the link whose end nobody knows does not keep a rollback waiting", async () => {
  await using parts = await releaseSite({}, 1);
  const { site, current } = parts;
  expect((await parts.deploy("1")).code).toBe(0);
  const before = await readlink(parts.at("web1", "current"));
  await using journal = await site.journal();
  const start = { command: "deploy", fleet: "fake", by: "eva", reason: undefined, args: {} } as const;
  const run = await journal.begin({ ...start, set: { RELEASE: "2" }, nodes: ["web1"] });
  await journal.stepStarted(run, "web1", "upgrade"); // and its process was killed
  await journal.switched(run, "web1", { to: parts.at("web1"), before, after: "releases/2-000000000000" });
  const back = await site.rota("rollback", run);
  expect(back.code, back.err).toBe(0);
  expect(await current("web1")).toBe("releases/1");
});

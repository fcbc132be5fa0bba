/** A node whose workers can't run the new release goes back to the old one by itself. */
import { chmod, mkdir, mkdtemp, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { buildProgram, runUntilKilled } from "../fakes/program.ts";
import { makeRelease } from "../fakes/release.ts";
import { type FakeSite, type Overrides, type Said, fakeSite } from "../fakes/site.ts";

vi.setConfig({ maxConcurrency: 4 });

beforeAll(buildProgram);

/**
 * In place of python3 and roll.py: two workers. A release that holds `bad` can't be loaded, nor can any while `ill` is in the
 * login folder; `refuse` refuses.
 */
const fakeRoll = String.raw`#!/bin/sh
last=
link=
for word; do
  if [ "$last" = --rollback-link ]; then link=$word; fi
  last=$word
done
echo roll >>rolls
say() { printf '{"event": "%s", "seconds": 1, "text": "%s"%s}\n' "$1" "$2" "$3"; }
if [ -e refuse ]; then say end "refused: preloaded" ', "exit": 64'; exit 64; fi
say roll "2 workers" ', "count": 2'
say worker "worker 11" ', "pid": 11, "state": "booting", "since": 0.1, "new": true'
if [ -e ill ] || [ -e "\${ROTA_RELEASE_DIR-none}/bad" ] || [ "$(cat current 2>/dev/null)" = bad ]; then
  say worker "worker 11" ', "pid": 11, "state": "failed", "since": 0.2, "new": true'
  say broken "BROKEN: worker 11 can not serve" ', "error": "Traceback\n  in app.py\nRuntimeError: no database at hunter22"'
  if [ "$link" ]; then
    ln -sfn "\${link#*=}" "\${link%%=*}"
    say restore "putting it back"
    say end "BROKEN; the old release alone serves" ', "exit": 1'
    exit 1
  fi
  say left "left" ', "pid": 1, "state": "ready", "release": "/old"'
  say end "BROKEN, and left as it is" ', "exit": 2'
  exit 2
fi
for old in 1 2; do
  say worker "ready" ', "pid": 1'$old', "state": "ready", "since": 1.5, "new": true'
  say worker "leaving" ', "pid": '$old', "state": "leaving"'
  say worker "gone" ', "pid": '$old', "state": "gone"'
done
say end "done" ', "exit": 0'
`.replaceAll("\\$", "$");

interface Rolling extends AsyncDisposable {
  site: FakeSite;
  deploy: (release: string, ...words: string[]) => Promise<Said>;
  make: (release: string, files?: Record<string, string>) => Promise<string>;
  /** Of the release that a node's link leads to, without its checksum. */
  current: (node: string) => Promise<string>;
  /** A file of a node's login folder, by lines. */
  lines: (node: string, name: string) => Promise<string[]>;
  set: (node: string, name: string) => Promise<void>;
  unset: (node: string, name: string) => Promise<void>;
}

async function rolling(pool: Overrides = {}): Promise<Rolling> {
  const apps = await mkdtemp(join(tmpdir(), "rota-rolls-"));
  await mkdir(join(apps, "bin"));
  await writeFile(join(apps, "bin/python3"), fakeRoll);
  await chmod(join(apps, "bin/python3"), 0o755);
  await writeFile(join(apps, "pid"), `${process.pid}\n`);
  const site = await fakeSite({
    pool: {
      release: { upload: "build-{RELEASE}.tar.gz", to: `${apps}/{node}` },
      upgrade: undefined,
      drain: { via: "none" },
      restart: { via: "gunicorn", run: undefined, pidfile: join(apps, "pid"), how: "workers" },
      ...pool,
    },
  });
  for (const node of site.names) site.host(node).path = `${join(apps, "bin")}:${process.env["PATH"]}`;
  const file = (node: string, name: string): string => join(site.host(node).folder, name);
  return {
    site,
    deploy: (release, ...words) => site.rota("deploy", "--set", `RELEASE=${release}`, "--json", ...words),
    make: (name, files) =>
      makeRelease(join(dirname(site.inventory), `build-${name}.tar.gz`), files ?? { app: name }),
    current: async (node) =>
      /^releases\/(.*)-\w{12}$/.exec(await readlink(join(apps, node, "current")))?.[1] ?? "",
    lines: async (node, name) =>
      (await readFile(file(node, name), "utf8").catch(() => "")).split("\n").filter(Boolean),
    set: (node, name) => writeFile(file(node, name), ""),
    unset: (node, name) => rm(file(node, name)),
    async [Symbol.asyncDispose]() {
      await site[Symbol.asyncDispose]();
      await rm(apps, { recursive: true, force: true });
    },
  };
}

const notices = ({ events }: Said): string[] =>
  events.flatMap((event) => (event.type === "notice" ? [event.text] : []));

test.concurrent(
  "in rotation: the roll puts the old release back, the node stays, and a resume switches again",
  async () => {
    await using parts = await rolling();
    const { site, current } = parts;
    await parts.make("1");
    expect((await parts.deploy("1")).code).toBe(0);
    await parts.make("2");
    await parts.set("web1", "ill");
    const broken = await parts.deploy("2");
    expect(broken.code).toBe(1);
    expect(broken.err).toMatch(/BROKEN: worker 11[^]*RuntimeError: no database/);
    expect(broken.err).not.toContain("{");
    expect(broken.err).toContain("web1 serves with its old release, alone; web2 was not touched");
    expect(broken.err).toMatch(/next: {2}rota resume \w+ .*--retry, once web1 can be well/);
    expect(notices(broken)).toContain("web1 runs its old release again, and nothing else");
    expect(await current("web1")).toBe("1");
    expect(site.told("web1")).toEqual([]);
    const unsaid = await site.rota("resume");
    expect(unsaid.code).toBe(2);
    expect(unsaid.err).toContain("is it to be tried again, or left out?");
    await parts.unset("web1", "ill");
    const resumed = await site.rota("resume", "--retry", "--json");
    expect(resumed.code, resumed.err).toBe(0);
    expect([await current("web1"), await current("web2")]).toEqual(["2", "2"]);
    const undone = await site.rota("rollback");
    expect(undone.code, undone.err).toBe(0);
    expect([await current("web1"), await current("web2")]).toEqual(["1", "1"]);
  },
);

test.concurrent(
  "on_failure: rollback is about the other nodes: the one that went back is not touched again",
  async () => {
    await using parts = await rolling({ rollout: { on_failure: "rollback" } });
    await parts.make("1");
    await parts.deploy("1");
    await parts.make("2");
    await parts.set("web2", "ill");
    const { code, err } = await parts.deploy("2");
    expect(code).toBe(1);
    expect(err).toMatch(/failed, and is rolled back by run/);
    expect([await parts.current("web1"), await parts.current("web2")]).toEqual(["1", "1"]);
    expect(await parts.lines("web1", "rolls")).toHaveLength(3);
    expect(await parts.lines("web2", "rolls")).toHaveLength(2);
    await parts.set("web1", "ill");
    const first = await parts.deploy("2");
    expect(first.code).toBe(1);
    expect(first.err).toContain("nothing is left to put back");
    expect(first.err).toMatch(/web1 went back by itself in run/);
  },
);

test.concurrent("a rollback typed later leaves it alone, and undoes the run before it", async () => {
  await using parts = await rolling();
  const { site } = parts;
  for (const release of ["1", "2"]) {
    await parts.make(release);
    await parts.deploy(release);
  }
  const [good] = await runsOf(site);
  await parts.make("3", { bad: "" });
  expect((await parts.deploy("3")).code).toBe(1);
  const nothing = await site.rota("rollback");
  expect(nothing.code, nothing.err).toBe(0);
  expect(nothing.out).toMatch(/nothing is left to undo[^]*web1 went back by itself in run/);
  const undone = await site.rota("rollback", good ?? "");
  expect(undone.code, undone.err).toBe(0);
  expect(await parts.current("web1")).toBe("1");
});

const runsOf = async (site: FakeSite): Promise<string[]> => {
  await using journal = await site.journal();
  return (await journal.runs("fake", 10)).map(({ run }) => run);
};

test.concurrent(
  "with rollback: it is run with PREVIOUS, and the workers are replaced once more",
  async () => {
    await using parts = await rolling({
      release: undefined,
      upgrade: 'echo "$RELEASE" >>upgrades; echo "$RELEASE" >current',
      rollback: 'echo "$PREVIOUS" >>undone; echo "$PREVIOUS" >current',
    });
    const { site, lines } = parts;
    const blind = await parts.deploy("bad");
    expect(blind.code).toBe(1);
    expect(notices(blind)).toContainEqual(expect.stringContaining("what it ran before is not known"));
    expect(site.stateOf("web1")).toBe("maint");
    expect((await parts.deploy("1")).code).toBe(0);
    const told = site.told("web1").length;
    const rolls = (await lines("web1", "rolls")).length;
    const broken = await parts.deploy("bad");
    expect(broken.code).toBe(1);
    expect(broken.err).toContain("web1 serves with its old release, alone");
    expect(await lines("web1", "undone")).toEqual(["1"]);
    expect(await lines("web1", "current")).toEqual(["1"]);
    expect(await lines("web1", "rolls")).toHaveLength(rolls + 2);
    expect(site.told("web1")).toHaveLength(told);
    // The upgrade is done no more: it is done again.
    const before = await lines("web1", "upgrades");
    expect((await site.rota("resume", "--retry")).code).toBe(1);
    expect(await lines("web1", "upgrades")).toEqual([...before, "bad"]);
  },
);

test.concurrent(
  "killed on the way back: a person is asked before the upgrade is done once more",
  async () => {
    await using parts = await rolling({
      release: undefined,
      upgrade: 'echo "$RELEASE" >current',
      rollback: 'echo undoing; sleep 0.3; echo "$PREVIOUS" >current',
    });
    const { site, lines } = parts;
    expect((await parts.deploy("1")).code).toBe(0);
    await parts.set("web1", "ill");
    const words = ["deploy", "-i", site.inventory, "--set", "RELEASE=2"];
    await runUntilKilled({ type: "output", node: "web1", step: "undo" }, words, { env: site.env });
    await vi.waitFor(async () => expect(await lines("web1", "current")).toEqual(["1"]), { timeout: 20_000 });
    await parts.unset("web1", "ill");
    const unsure = await site.rota("resume");
    expect(unsure.code).toBe(2);
    expect(unsure.err).toContain("nobody knows whether the upgrade of web1 was done");
    const resumed = await site.rota("resume", "--retry");
    expect(resumed.code, resumed.err).toBe(0);
    expect([await lines("web1", "current"), await lines("web2", "current")]).toEqual([["2"], ["2"]]);
  },
);

test.concurrent(
  "out of rotation it goes back too, stays out, and is put back by a rollback without another roll",
  async () => {
    await using parts = await rolling({ drain: { via: "runtime" } });
    const { site } = parts;
    await parts.make("1");
    await parts.deploy("1");
    await parts.make("2", { bad: "" });
    const broken = await parts.deploy("2");
    expect(broken.code).toBe(1);
    expect(broken.err).toContain("web1 is out of rotation");
    expect(notices(broken)).toContain("web1 runs its old release again, and nothing else");
    expect(site.stateOf("web1")).toBe("maint");
    expect(await parts.current("web1")).toBe("1");
    const rolls = await parts.lines("web1", "rolls");
    const undone = await site.rota("rollback");
    expect(undone.code, undone.err).toBe(0);
    expect(undone.err).toContain("went back by itself, and is only put back");
    expect(site.stateOf("web1")).toBe("ready");
    expect(await parts.lines("web1", "rolls")).toEqual(rolls);
  },
);

test.concurrent("where the roll is refused, no worker was touched: the link alone goes back", async () => {
  await using parts = await rolling();
  await parts.make("1");
  await parts.deploy("1");
  await parts.make("2");
  await parts.set("web1", "refuse");
  const { code, err } = await parts.deploy("2");
  expect(code).toBe(1);
  expect(err).toContain("web1 serves with its old release, alone");
  expect(await parts.current("web1")).toBe("1");
  expect(parts.site.told("web1")).toEqual([]);
});

test.concurrent("with neither release nor rollback it is said which worker runs what", async () => {
  await using parts = await rolling({ release: undefined, upgrade: 'echo "$RELEASE" >current' });
  await parts.deploy("1");
  const broken = await parts.deploy("bad");
  expect(broken.code).toBe(1);
  expect(broken.err).toContain("left: 1 worker ready, running /old: 1");
  expect(notices(broken)).toContainEqual(
    expect.stringContaining("the pool has neither release nor rollback"),
  );
  expect(parts.site.stateOf("web1")).toBe("maint");
});

test.concurrent(
  "a link that was put back after the connection was cut is switched again; what the upgrade did is not repeated",
  async () => {
    await using parts = await rolling({ upgrade: 'echo "$RELEASE" >>upgrades' });
    const { site } = parts;
    await parts.make("1");
    await parts.deploy("1");
    await parts.make("2");
    await parts.set("web1", "ill");
    site.host("web1").dieDuring(/ROTA_ROLL/);
    expect((await parts.deploy("2")).code).toBe(1);
    site.host("web1").dieDuring(/never/);
    // The roll went on.
    await vi.waitFor(async () => expect(await parts.current("web1")).toBe("1"), { timeout: 20_000 });
    await parts.unset("web1", "ill");
    const resumed = await site.rota("resume", "--retry");
    expect(resumed.code, resumed.err).toBe(0);
    expect(await parts.current("web1")).toBe("2");
    expect(await parts.lines("web1", "upgrades")).toEqual(["1", "2"]);
  },
);

test.concurrent(
  "a secret in a worker's error is hidden; each worker's times are in the history",
  async () => {
    await using parts = await rolling({ vars: { PASSWORD: { env: "ROTA_TEST_PASSWORD", secret: true } } });
    const { site } = parts;
    Object.assign(site.env, { ROTA_TEST_PASSWORD: "hunter22" });
    await parts.make("1");
    const good = await parts.deploy("1");
    expect(good.code, good.err).toBe(0);
    expect(good.events).toContainEqual(
      expect.objectContaining({
        type: "worker",
        node: "web1",
        pid: 11,
        state: "ready",
        of: 2,
        sinceMs: 1500,
      }),
    );
    const shown = (await site.rota("show", "last", "web1")).out;
    expect(shown).toContain("worker 11 booted in 1.5s; the old one, 1, ended in 0ms");
    await parts.make("2", { bad: "" });
    const broken = await parts.deploy("2");
    const all = broken.out + broken.err + (await site.rota("show", "last", "web1")).out;
    expect(all).toContain("no database at [secret]");
    expect(all).not.toContain("hunter22");
  },
);

import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import type { Event } from "../../src/events/events.ts";
import { makeRelease } from "../fakes/release.ts";
import { type FakeSite, type Overrides, type Said, fakeSite } from "../fakes/site.ts";

interface ReleaseSite extends AsyncDisposable {
  site: FakeSite;
  /** Where the app of a node lies. */
  at: (node: string, ...path: string[]) => string;
  make: (release: string, files?: Record<string, string>, bytes?: number) => Promise<string>;
  deploy: (release: string, ...words: string[]) => Promise<Said>;
  /** Releases that a node has. */
  has: (node: string) => Promise<string[]>;
  current: (node: string) => Promise<string>;
}

async function releaseSite(pool: Overrides = {}, nodes = 2): Promise<ReleaseSite> {
  const apps = await mkdtemp(join(tmpdir(), "rota-apps-"));
  const release = { upload: "build-{RELEASE}.tar.gz", to: `${apps}/{node}`, keep: 2 };
  const site = await fakeSite({
    nodes,
    pool: { release, upgrade: undefined, rollout: { min_serving: nodes > 1 ? 1 : 0 }, ...pool },
  });
  const at = (...path: string[]): string => join(apps, ...path);
  return {
    site,
    at,
    make: (name, files, bytes) =>
      makeRelease(join(dirname(site.inventory), `build-${name}.tar.gz`), files, bytes),
    deploy: (name, ...words) => site.rota("deploy", "--set", `RELEASE=${name}`, "--json", ...words),
    has: async (node) =>
      (await readdir(at(node, "releases"))).filter((name) => name !== ".lock" && name !== ".good").toSorted(),
    current: (node) => readlink(at(node, "current")),
    async [Symbol.asyncDispose]() {
      await site[Symbol.asyncDispose]();
      await rm(apps, { recursive: true, force: true });
    },
  };
}

const notices = ({ events }: Said): string[] =>
  events.flatMap((event) => (event.type === "notice" ? [event.text] : []));

const indexOf = ({ events }: Said, fits: (event: Event) => boolean): number => events.findIndex(fits);

const uploads = (site: FakeSite, node: string): Promise<string[]> =>
  readdir(join(site.host(node).folder, ".cache/rota/uploads"));

test.concurrent(
  "a release is brought to all nodes while they serve, and switched to while each is out",
  async () => {
    await using parts = await releaseSite({ prepare: 'pwd >where; echo "prepared in $ROTA_RELEASE_DIR"' });
    const { site, at } = parts;
    await parts.make("1");
    site.atStep("web1", "drain", () => {
      expect(existsSync(at("web2", "releases"))).toBe(true);
      expect(existsSync(at("web1", "current"))).toBe(false);
    });
    site.atStep("web1", "upgrade", () => expect(site.told("web1").length).toBeGreaterThan(0));
    const said = await parts.deploy("1");
    expect(said.code, said.err).toBe(0);
    const [name = ""] = await parts.has("web1");
    expect(name).toMatch(/^1-[0-9a-f]{12}$/);
    for (const node of ["web1", "web2"]) {
      expect(await parts.current(node)).toBe(`releases/${name}`);
      expect(await readFile(at(node, "current/app"), "utf8")).toBe("the app\n");
      expect((await readFile(at(node, "current/where"), "utf8")).trim()).toBe(at(node, "releases", name));
      expect(await uploads(site, node)).toEqual([]);
    }
    const saw = said.events.flatMap((event) => (event.type === "waiting" ? [event.saw] : []));
    expect(saw).toContainEqual(expect.stringMatching(/^uploaded \d+ bytes of \d+ bytes \(100%\)$/));
    const prepared = indexOf(said, ({ type }) => type === "batch started");
    expect(indexOf(said, (event) => event.type === "step started" && event.step === "prepare")).toBeLessThan(
      prepared,
    );
  },
);

test.concurrent("the same release again is not uploaded, nor prepared under the app", async () => {
  await using parts = await releaseSite({ prepare: "echo preparing" });
  await parts.make("1");
  await parts.deploy("1");
  const before = parts.site.host("web1").uploaded;
  const said = await parts.deploy("1");
  expect(said.code, said.err).toBe(0);
  expect(parts.site.host("web1").uploaded).toBe(before);
  expect(notices(said)).toContainEqual(
    expect.stringMatching(/^web1: current is 1-\w+ already; prepare is not run/),
  );
  await parts.make("1", { app: "other content under the same name\n" });
  expect((await parts.deploy("1")).code).toBe(0);
  expect(await parts.has("web1")).toHaveLength(2);
  expect(await readFile(parts.at("web1", "current/app"), "utf8")).toContain("other content");
});

test.concurrent(
  "old releases go once the node is back; the one before and what is not ours stay",
  async () => {
    await using parts = await releaseSite({}, 1);
    for (const release of ["1", "2", "3"]) {
      await parts.make(release, { app: release });
      expect((await parts.deploy(release)).code).toBe(0);
      await mkdir(parts.at("web1", "releases", "by-hand"), { recursive: true });
      await mkdir(parts.at("web1", "releases", ".new-1-000000000000"), { recursive: true });
    }
    await parts.make("4", { app: "4" });
    const said = await parts.deploy("4");
    expect(said.code).toBe(0);
    const names = (await parts.has("web1")).map((name) => name.replace(/-[0-9a-f]{12}$/, ""));
    expect(names).toEqual(["3", "4", "by-hand"]);
    expect(notices(said)).toContainEqual(expect.stringMatching(/^web1: removed 2-\w+, keeping 2$/));
    expect(await readlink(parts.at("web1", "previous"))).toMatch(/^releases\/3-/);
  },
);

test.concurrent("the journal knows what each node's link was before and after", async () => {
  await using parts = await releaseSite({}, 1);
  await mkdir(parts.at("web1", "releases", "old"), { recursive: true });
  await symlink("releases/old", parts.at("web1", "current"));
  for (const release of ["1", "2"]) {
    await parts.make(release, { app: release });
    expect((await parts.deploy(release)).code).toBe(0);
  }
  await parts.deploy("2"); // nothing is switched
  await using journal = await parts.site.journal();
  const to = parts.at("web1");
  expect(await journal.switches("fake", "web1")).toMatchObject([
    { to, node: "web1", before: expect.stringMatching(/^releases\/1-/), after: await parts.current("web1") },
    { to, before: "releases/old", after: expect.stringMatching(/^releases\/1-/) },
  ]);
});

const steps = [
  ["while it is looked for", /say runs/],
  ["while it is unpacked", /tar -x/],
  ["while it is prepared", /echo preparing/],
  ["while it is switched to", /current\.new/],
  ["while old ones are removed", /one-file-system/],
] as const;

/** What a node has in the end, whatever happened on the way. */
async function expectWhole({ site, has, current, at }: ReleaseSite): Promise<void> {
  for (const node of site.nodes) {
    expect((await has(node)).map((name) => name.split("-")[0])).toEqual(["1", "2"]);
    expect(await current(node)).toMatch(/^releases\/2-/);
    expect(await readlink(at(node, "previous"))).toMatch(/^releases\/1-/);
    expect(await readFile(at(node, "current/app"), "utf8")).toBe("2");
    expect(await uploads(site, node)).toEqual([]);
    expect(site.stateOf(node)).toBe("ready");
    expect(await readdir(at(node))).toHaveLength(3); // releases, current, previous
  }
}

/** Those in which half of something could be left; all with CHAOS=full. */
const cutSteps =
  process.env["CHAOS"] === "full" ? steps : steps.filter(([when]) => /unpacked|switched/.test(when));

test.concurrent.each(cutSteps)(
  "a connection that is cut %s is made again, or the run is resumed",
  async (_, script) => {
    await using parts = await releaseSite({ prepare: "echo preparing" }, 1);
    const { site } = parts;
    await parts.make("1", { app: "1" });
    expect((await parts.deploy("1")).code).toBe(0);
    await parts.make("2", { app: "2" }, 300_000);
    site.host("web1").dieDuring(script); // each time
    const said = await parts.deploy("2");
    site.host("web1").dieDuring(/never/);
    if (said.code !== 0) {
      const resumed = await site.rota("resume", "--retry");
      expect(resumed.code, `${said.err}\n${resumed.err}`).toBe(0);
    }
    expect((await parts.deploy("2")).code).toBe(0); // removes what a cut left
    await expectWhole(parts);
  },
);

test.concurrent("an upload that is cut goes on where it ended, in the same run", async () => {
  await using parts = await releaseSite({}, 1);
  const path = await parts.make("2", { app: "2" }, 2_000_000);
  const { size } = statSync(path);
  const host = parts.site.host("web1");
  host.cutUploadAfter(1_500_000, "once");
  const said = await parts.deploy("2");
  expect(said.code, said.err).toBe(0);
  expect(notices(said)).toContainEqual(expect.stringMatching(/during the upload; it goes on from there/));
  expect(host.uploaded).toBeLessThan(size * 1.6); // at most a megabyte was under way
  expect(await parts.current("web1")).toMatch(/^releases\/2-/);
});

test.concurrent(
  "an upload that is cut for good leaves the fleet as it was, and a resume does the rest",
  async () => {
    await using parts = await releaseSite();
    const { site } = parts;
    await parts.make("1", { app: "1" });
    expect((await parts.deploy("1")).code).toBe(0);
    const path = await parts.make("2", { app: "2" }, 2_000_000);
    site.host("web2").cutUploadAfter(1_300_000);
    const told = site.told("web1").length;
    const said = await parts.deploy("2");
    expect(said.code).toBe(1);
    expect(said.err).toMatch(/web2: uploading to web2: the connection ended|web2 .*can't be reached/);
    expect(site.told("web1")).toHaveLength(told);
    expect(await uploads(site, "web2")).toHaveLength(1);
    const before = site.host("web2").uploaded;
    site.host("web2").cutUploadAfter(Infinity);
    const resumed = await site.rota("resume", "--json");
    expect(resumed.code, resumed.err).toBe(0);
    const { size } = statSync(path);
    expect(site.host("web2").uploaded - before).toBeLessThan(size); // not from the beginning
    await expectWhole(parts);
  },
);

test.concurrent("a part that is not what it should be is begun anew", async () => {
  await using parts = await releaseSite({}, 1);
  await parts.make("2", { app: "2" }, 500_000);
  const host = parts.site.host("web1");
  host.cutUploadAfter(400_000);
  expect((await parts.deploy("2")).code).toBe(1);
  host.cutUploadAfter(Infinity);
  const [name = ""] = await uploads(parts.site, "web1");
  await writeFile(join(host.folder, ".cache/rota/uploads", name), "not what was sent");
  const resumed = await parts.site.rota("resume");
  expect(resumed.code, resumed.err).toBe(0);
  expect(await readFile(parts.at("web1", "current/app"), "utf8")).toBe("2");
});

test.concurrent("a run is not resumed with another file", async () => {
  await using parts = await releaseSite({ prepare: "test ! -e broken" }, 1);
  await parts.make("2", { app: "2", broken: "" });
  expect((await parts.deploy("2")).code).toBe(1);
  await parts.make("2", { app: "2" });
  const resumed = await parts.site.rota("resume");
  expect(resumed.code).toBe(2);
  expect(resumed.err).toMatch(/the run began with 2-\w{12}, and the file holds 2-\w{12} now/);
});

test.concurrent("what does not unpack, or has nowhere to go, is known before any node left", async () => {
  await using parts = await releaseSite();
  await parts.make("1");
  await mkdir(parts.at("web2"), { recursive: true });
  await writeFile(parts.at("web2", "releases"), "in the way");
  const said = await parts.deploy("1");
  expect(said.code).toBe(1);
  expect(said.err).toContain("web2: unpacking the release 1-");
  expect(parts.site.told("web1")).toEqual([]);
  expect(parts.site.told("web2")).toEqual([]);
  expect(existsSync(parts.at("web1", "current"))).toBe(false);
});

test.concurrent("a folder named current is not switched, and is said while all nodes serve", async () => {
  await using parts = await releaseSite({}, 1);
  await parts.make("1");
  await mkdir(parts.at("web1", "current"), { recursive: true });
  const said = await parts.deploy("1");
  expect(said.code).toBe(1);
  expect(said.err).toMatch(/current on web1 is no link, and can't be switched/);
  expect(parts.site.told("web1")).toEqual([]);
});

test.concurrent("a full disk is told as such", async () => {
  await using parts = await releaseSite({}, 1);
  const host = parts.site.host("web1");
  await parts.make("1", {}, 100_000);
  // A tar of its own, first in the PATH of the node's shell, that meets a full disk.
  await writeFile(
    join(host.folder, "tar"),
    '#!/bin/sh\necho "tar: ./ballast: Wrote only 2048 of 10240 bytes" >&2\necho "tar: ./x: Cannot write: No space left on device" >&2\nexit 2\n',
  );
  await chmod(join(host.folder, "tar"), 0o755);
  host.path = `${host.folder}:${process.env["PATH"]}`;
  const said = await parts.deploy("1");
  expect(said.code).toBe(1);
  expect(said.err).toMatch(/web1: unpacking the release 1-\w+ on web1: no space left on the node/);
  expect(await parts.has("web1")).toEqual([]); // no half of it stays
});

const badFiles: [string, (path: string) => Promise<unknown>, RegExp][] = [
  ["is not there", async () => {}, /can't be read: ENOENT/],
  ["is no tar file", (path) => writeFile(path, "hello"), /is no whole tar file/],
  [
    "is cut off",
    async (path) => {
      await makeRelease(path, undefined, 50_000);
      await writeFile(path, (await readFile(path)).subarray(0, 30_000));
    },
    /is no whole tar file/,
  ],
  [
    "holds an absolute name",
    async (path) => tarOf(path, "/etc/hostname"),
    /"\/etc\/hostname", which lies outside/,
  ],
  ["goes up", async (path) => tarOf(path, "../etc/hostname"), /"\.\.\/etc\/hostname", which lies outside/],
];

const tarOf = (path: string, name: string): void =>
  void execFileSync("tar", ["-czPf", path, "--transform", `s,.*,${name},`, "/etc/hostname"]);

test.concurrent.each(badFiles)("a file that %s is refused before anything", async (_, make, why) => {
  await using parts = await releaseSite({}, 1);
  await make(join(dirname(parts.site.inventory), "build-1.tar.gz"));
  const said = await parts.deploy("1");
  expect(said.code).toBe(2);
  expect(said.err).toMatch(why);
  expect(said.err).toContain("nothing was touched");
  expect(parts.site.host("web1").connections).toBe(0);
});

test.concurrent("the plan says which release, how large, and to how many", async () => {
  await using parts = await releaseSite({}, 2);
  await parts.make("7", {}, 3_000_000);
  const plan = await parts.site.rota("plan", "--set", "RELEASE=7");
  expect(plan.out).toMatch(/release 7-\w{12} \(build-7\.tar\.gz, 3 MB\) to 2 nodes first/);
  const unknown = await parts.site.rota("plan");
  expect(unknown.code, unknown.err).toBe(0);
  expect(unknown.out).toContain("release build-{RELEASE}.tar.gz to each node first");
  expect(parts.site.host("web1").connections).toBe(0);
});

test.concurrent("a host without SFTP is told as what it is", async () => {
  await using parts = await releaseSite({}, 1);
  await parts.make("1");
  parts.site.host("web1").refusesSftp = true;
  const said = await parts.deploy("1");
  expect(said.code).toBe(1);
  expect(said.err).toContain("the host opens no SFTP");
});

test.concurrent(
  "a rollback switches back to the release that each node had, without bringing it again",
  async () => {
    await using parts = await releaseSite({ prepare: 'echo prepared >> "$ROTA_RELEASE_DIR/prepared"' });
    const { site, at } = parts;
    const first = await parts.make("1");
    await parts.make("2");
    expect((await parts.deploy("1")).code).toBe(0);
    const before = await parts.current("web1");
    expect((await parts.deploy("2")).code).toBe(0);
    expect(await parts.current("web1")).not.toBe(before);
    await rm(first);
    const back = await site.rota("rollback", "--json");
    expect(back.code, back.err).toBe(0);
    for (const node of ["web1", "web2"]) {
      expect(await parts.current(node)).toBe(before);
      expect(await readFile(at(node, before, "prepared"), "utf8")).toBe("prepared\n");
    }
    expect(site.stateOf("web1")).toBe("ready");
    // And what was undone may come back.
    const again = await site.rota(
      "rollback",
      (await site.rota("runs", "--json")).out.match(/"run":"(\w+)"/)?.[1] ?? "",
    );
    expect(again.code, again.err).toBe(0);
    expect(await parts.current("web2")).toMatch(/^releases\/2-/);
  },
);

test.concurrent(
  "a release that is gone from a node can't be gone back to: refused while it serves",
  async () => {
    await using parts = await releaseSite();
    const { site, at } = parts;
    await parts.make("1");
    await parts.make("2");
    expect((await parts.deploy("1")).code).toBe(0);
    const before = await parts.current("web2");
    expect((await parts.deploy("2")).code).toBe(0);
    await rm(at("web2", before), { recursive: true });
    const told = site.told("web1").length;
    const back = await site.rota("rollback");
    expect(back.code, back.err).toBe(3);
    expect(back.err).toContain(`${before} is not on web2 any more`);
    expect(site.told("web1")).toHaveLength(told);
    expect(await parts.current("web1")).toMatch(/^releases\/2-/);
  },
);

test.concurrent("where nothing was before the first release, there is nothing to go back to", async () => {
  await using parts = await releaseSite({}, 1);
  await parts.make("1");
  expect((await parts.deploy("1")).code).toBe(0);
  const back = await parts.site.rota("rollback");
  expect(back.code, back.err).toBe(3);
  expect(back.err).toContain("nobody knows what web1 ran before");
});

test.concurrent("on_failure: rollback goes back to the release that the node had", async () => {
  await using parts = await releaseSite({
    restart: { run: 'case $(cat "$ROTA_RELEASE_DIR/app") in bad*) exit 3 ;; esac' },
    rollout: { min_serving: 1, on_failure: "rollback" },
  });
  const { site } = parts;
  await parts.make("1");
  await parts.make("2", { app: "bad\n" });
  expect((await parts.deploy("1")).code).toBe(0);
  const before = await parts.current("web1");
  const failed = await parts.deploy("2");
  expect(failed.code).toBe(1);
  expect(failed.err).toContain("is rolled back by run");
  expect(await parts.current("web1")).toBe(before);
  expect(await parts.current("web2")).toBe(before);
  expect(site.stateOf("web1")).toBe("ready");
});

/** Commands before and after a deploy, a batch and a node, and what is done once. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { type Moment, buildProgram, runUntilKilled } from "../fakes/program.ts";
import { type FakeSite, type Overrides, type Said, fakeSite } from "../fakes/site.ts";
import { runs } from "../lab/family.ts";

vi.setConfig({ maxConcurrency: 4 });

beforeAll(buildProgram);

const here = (what: string) => ({ here: `echo "${what}" >> told` });
const outcome = "$ROTA_OUTCOME";

const nodeHooks = {
  before_node: here("before $ROTA_NODE"),
  after_node: here(`after $ROTA_NODE ${outcome}`),
};
const batchHooks = {
  before_batch: here("before batch $ROTA_NODES of $ROTA_POOL"),
  after_batch: here(`after batch $ROTA_NODES ${outcome}`),
};
const fleetHooks = {
  before_deploy: here("begin $ROTA_COMMAND of $ROTA_FLEET: $RELEASE on $ROTA_NODES"),
  after_deploy: here(`end ${outcome}`),
};

const hookedSite = (pool: Overrides, fleet: Overrides = {}): Promise<FakeSite> =>
  fakeSite({ nodes: 2, pool, fleet: { hooks: fleet } });

const deploy = (site: FakeSite, ...words: string[]): Promise<Said> =>
  site.rota("deploy", "--set", "RELEASE=2", ...words);

/** What the hooks wrote here, in the inventory's folder. */
const toldHere = async (site: FakeSite): Promise<string[]> => {
  const text = await readFile(join(dirname(site.inventory), "told"), "utf8").catch(() => "");
  return text.trimEnd().split("\n");
};

test.concurrent("each runs in its turn, with what it is about; plans and dry runs run none", async () => {
  await using site = await hookedSite(
    { hooks: { ...nodeHooks, ...batchHooks }, once: 'echo "once on $ROTA_NODE" >> once' },
    fleetHooks,
  );
  expect((await site.rota("plan")).out).toContain("once, on web1, before it leaves:");
  expect((await deploy(site, "--dry-run")).code).toBe(0);
  expect(await toldHere(site)).toEqual([""]);
  const { code, err } = await deploy(site);
  expect(code, err).toBe(0);
  expect(await toldHere(site)).toEqual([
    "begin deploy of fake: 2 on web1 web2",
    "before batch web1 of web",
    "before web1",
    "after web1 done",
    "after batch web1 done",
    "before batch web2 of web",
    "before web2",
    "after web2 done",
    "after batch web2 done",
    "end done",
  ]);
  expect(await readFile(join(site.host("web1").folder, "once"), "utf8")).toBe("once on web1\n");
  expect(existsSync(join(site.host("web2").folder, "once"))).toBe(false);
});

test.concurrent("on the node too; what they print is shown and kept, and no secret of it", async () => {
  await using site = await hookedSite(
    {
      vars: { TOKEN: { env: "SITE_TOKEN", secret: true } },
      hooks: { before_node: { run: 'echo "there: $TOKEN"; echo "$ROTA_NODE" > was-here' } },
    },
    { before_deploy: { here: 'echo "here: $SITE_TOKEN"' } },
  );
  site.env["SITE_TOKEN"] = "tooth-fairy";
  const { code, err } = await deploy(site);
  expect(code, err).toBe(0);
  expect(err).toContain("before_deploy | here: [secret]");
  expect(err).toContain("web1 before_node | there: [secret]");
  expect(await readFile(join(site.host("web1").folder, "was-here"), "utf8")).toBe("web1\n");
  expect((await site.rota("show", "last")).out).toMatch(/before_deploy\n +here: \[secret\]/);
  expect((await site.rota("show", "last", "web2")).out).toMatch(/before_node\n +there: \[secret\]/);
  expect(`${err}${(await site.rota("show", "last")).out}`).not.toContain("tooth-fairy");
});

test.concurrent("nor a secret of rota's own, or of a node that takes no part", async () => {
  const other = { vars: { TOKEN: { env: "OTHER_TOKEN", secret: true } } };
  const hook = { here: 'echo "sudo $ROTA_SUDO_PASSWORD; other $OTHER_TOKEN"' };
  await using site = await hookedSite({ hooks: { before_node: hook }, nodes: { web2: other } });
  site.env["ROTA_SUDO_PASSWORD"] = "open-sesame";
  site.env["OTHER_TOKEN"] = "tooth-fairy";
  const { code, err } = await deploy(site, "web1");
  expect(code, err).toBe(0);
  const shown = `${err}${(await site.rota("show", "last", "web1")).out}`;
  expect(shown).toContain("sudo [secret]; other [secret]");
  expect(shown).not.toMatch(/open-sesame|tooth-fairy/);
});

test.concurrent("before_deploy that fails: nothing is touched, and after_deploy is told", async () => {
  await using site = await hookedSite({}, { ...fleetHooks, before_deploy: { here: "echo frozen; exit 3" } });
  const { code, err } = await deploy(site);
  expect(code).toBe(3);
  expect(err).toContain("hooks.before_deploy: exit code 3\n  the end of its output:\n    frozen");
  expect(err).toContain("left:  web1, web2 were not touched");
  expect(site.told("web1")).toEqual([]);
  expect(site.host("web1").commands).toEqual([]);
  expect(await toldHere(site)).toEqual(["end failed"]);
});

test.concurrent("before_batch and after_batch that fail stop the rollout where it is", async () => {
  await using site = await hookedSite({ hooks: { after_batch: { here: "false" } } }, fleetHooks);
  const after = await deploy(site);
  expect(after.code).toBe(1);
  expect(after.err).toContain("web1 is back in rotation; web2 was not touched");
  expect((await toldHere(site)).at(-1)).toBe("end failed");
  await using other = await hookedSite({ hooks: { before_batch: { here: '[ "$ROTA_NODES" != web2 ]' } } });
  const before = await deploy(other);
  expect(before.code).toBe(1);
  expect(before.err).toMatch(
    /hooks.before_batch: exit code 1[^]*web1 is back in rotation; web2 was not touched/,
  );
  expect(before.err).toMatch(/next: {2}rota resume \w+ -i \S+, once that is mended/);
  expect(other.told("web2")).toEqual([]);
});

test.concurrent(
  "before_node that fails: that node failed, untouched; after_node: it failed, and serves",
  async () => {
    await using site = await hookedSite({
      hooks: {
        before_node: { here: '[ "$ROTA_NODE" != web2 ]' },
        after_node: here(`after $ROTA_NODE ${outcome}`),
      },
    });
    const before = await deploy(site);
    expect(before.code).toBe(1);
    expect(before.err).toContain("web2 is as it was found");
    expect(site.told("web2")).toEqual([]);
    expect(await toldHere(site)).toEqual(["after web1 done", "after web2 failed"]);
    await using other = await hookedSite({ hooks: { after_node: { here: "exit 7" } } });
    const after = await deploy(other);
    expect(after.code).toBe(1);
    expect(after.err).toContain("web1: hooks.after_node: exit code 7");
    expect(after.err).toContain("web1 is back in rotation; web2 was not touched");
    expect(other.stateOf("web1")).toBe("ready");
  },
);

test.concurrent("one that does not end in its time is ended with all that it started", async () => {
  await using site = await hookedSite(
    { limits: { command: "500ms" }, upgrade: undefined },
    { before_deploy: { here: "sleep 60 & echo $! > child; wait" } },
  );
  const { code, err } = await deploy(site);
  expect(code).toBe(3);
  expect(err).toContain("hooks.before_deploy: still running after 500ms, and ended");
  const pid = Number(await readFile(join(dirname(site.inventory), "child"), "utf8"));
  await vi.waitUntil(() => !runs(pid), { timeout: 10_000 });
});

// A signal reaches every run of this process.
test("stopped twice: the hook under way is ended, and after_deploy is told", async () => {
  await using site = await hookedSite(
    { hooks: { before_batch: { here: "echo waiting; sleep 60" } } },
    { after_deploy: fleetHooks.after_deploy },
  );
  site.whenSaid(/before_batch \| waiting/, () => {
    process.emit("SIGTERM", "SIGTERM");
    process.emit("SIGTERM", "SIGTERM");
  });
  const { code, err } = await deploy(site);
  expect(code, err).toBe(4);
  expect(await toldHere(site)).toEqual(["end interrupted"]);
});

test.concurrent("what is done once and fails stops all: no node runs what needs it", async () => {
  await using site = await hookedSite({ once: "echo no such table; exit 4", rollout: { max_failures: 5 } });
  const { code, err } = await deploy(site);
  expect(code).toBe(1);
  expect(err).toContain("web1: once on web1: exit code 4");
  expect(err).toContain("web1 is as it was found; web2 was not touched");
  expect(site.told("web1")).toEqual([]);
  const again = await site.rota("resume");
  expect(again.code).toBe(1); // its end is known: a resume tries it again
});

const once = "echo once >> once; echo migrating; sleep 0.2";
const onceIn = async (site: FakeSite): Promise<string> =>
  await readFile(join(site.host("web1").folder, "once"), "utf8").catch(() => "");

const after = (step: string, node = "web1"): Moment => ({ type: "step ended", node, step });

test.concurrent.each([after("once"), after("upgrade"), after("ready"), after("survey", "web2")])(
  "killed at %j: what was done once is not done again",
  async (moment) => {
    await using site = await hookedSite({ once });
    await runUntilKilled(moment, ["deploy", "-i", site.inventory, "--set", "RELEASE=2"], { env: site.env });
    const { code, err } = await site.rota("resume");
    expect(code, err).toBe(0);
    expect(await onceIn(site)).toBe("once\n");
  },
);

const killedInOnce = async (site: FakeSite): Promise<void> => {
  const moment: Moment = { type: "output", node: "web1", step: "once" };
  await runUntilKilled(moment, ["deploy", "-i", site.inventory, "--set", "RELEASE=2"], { env: site.env });
};

test.concurrent("killed in the middle of it: nobody knows, and a person must say", async () => {
  await using site = await hookedSite({ once });
  await killedInOnce(site);
  const refused = await site.rota("resume");
  expect(refused.code).toBe(2);
  expect(refused.err).toContain("nobody knows whether the once of web1 was done");
  expect(refused.err).toMatch(/next: {2}rota resume \w+ -i \S+ --retry, which runs it again$/m);
  expect(site.told("web1")).toEqual([]);
  const { code, err } = await site.rota("resume", "--retry");
  expect(code, err).toBe(0);
  expect(await onceIn(site)).toBe("once\nonce\n");
});

test.concurrent("killed in the middle of it: the node is asked where it can say", async () => {
  const done_if = "for i in 1 2 3 4 5 6 7 8 9; do [ -e once ] && exit 0; sleep 0.2; done; exit 1";
  await using site = await hookedSite({ once: { run: once, repeat: "no", done_if } });
  await killedInOnce(site);
  const { code, err } = await site.rota("resume");
  expect(code, err).toBe(0);
  expect(await onceIn(site)).toBe("once\n");
});

test.concurrent("by hand none runs", async () => {
  await using site = await hookedSite({ hooks: nodeHooks, once: "touch once" }, fleetHooks);
  expect((await site.rota("rotate", "web1")).code).toBe(0);
  expect(await toldHere(site)).toEqual([""]);
});

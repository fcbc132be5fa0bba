/** `rollout.on_failure: rollback`: a release that fails on a node is undone at once, by a run of its own. */
import { beforeAll, expect, test, vi } from "vitest";
import { type Moment, buildProgram, runUntilKilled } from "../fakes/program.ts";
import type { FakeSite, Overrides } from "../fakes/site.ts";
import { currentOf, deploy, outcomeOf, ran, siteOf, statesOf } from "./released.ts";

vi.setConfig({ maxConcurrency: 4 });

beforeAll(buildProgram);

/** Release 2 does not start on web2. */
const failing = { restart: { run: '[ "$(cat current)$ROTA_NODE" != 2web2 ]' } };
const undoing = (pool: Overrides = {}, nodes = 3): Promise<FakeSite> =>
  siteOf({ ...failing, rollout: { on_failure: "rollback" }, ...pool }, nodes);

const allReady = ["ready", "ready", "ready"];

const runsOf = async (site: FakeSite) => {
  await using journal = await site.journal();
  return (await journal.runs("fake", 10)).map(({ command, outcome }) => `${command} ${outcome}`);
};

test.concurrent(
  "the node that failed and those that were upgraded run what they ran before; exit 1",
  async () => {
    await using site = await undoing();
    await ran(site, "1");
    const { code, err, out } = await deploy(site, "2");
    expect(code).toBe(1);
    expect(await currentOf(site)).toEqual(["1", "1", "1"]);
    expect(statesOf(site)).toEqual(allReady);
    expect(await runsOf(site)).toEqual(["rollback done", "deploy rolled back", "deploy done"]);
    expect(err).toContain("next:  nothing yet: what was upgraded is put back now (rollout.on_failure)");
    expect(err).toMatch(/rota: run \w+ failed, and is rolled back by run \w+\n {2}next: {2}rota show \w+/);
    expect(out).toMatch(/deploy fake: failed[^]*rollback fake: done/);
    expect(site.told("web3")).toEqual([]);
    expect((await site.rota("show", (/deploy.*run (\w+)\)/.exec(out) ?? [])[1] ?? "")).out).toMatch(
      /rolled back[^]*web2: restart on web2: exit code 1[^]*rolled back by run \w+/,
    );
  },
);

test.concurrent("as events: one run after the other", async () => {
  await using site = await undoing({}, 2);
  await ran(site, "1");
  const { code, events } = await deploy(site, "2", "--json", "--min-serving", "1");
  expect(code).toBe(1);
  const [first, second] = events.filter(({ type }) => type === "run started");
  expect(first).toMatchObject({ command: "deploy" });
  expect(second).toMatchObject({ command: "rollback", undoes: first?.type === "run started" && first.run });
  expect(events.at(-1)).toMatchObject({ type: "run ended", end: "done" });
});

// A signal reaches every run of this process.
test("nothing is undone where a person stopped it", async () => {
  await using site = await undoing();
  await ran(site, "1");
  site.atStep("web2", "settle", () => void process.emit("SIGTERM", "SIGTERM"));
  const { err } = await deploy(site, "2", "--json");
  expect(err).not.toContain("put back");
  expect(await currentOf(site)).toEqual(["2", "2", "1"]);
  expect(statesOf(site)).toEqual(["ready", "maint", "ready"]);
});

test.concurrent("nothing is undone where the release was not tried on the node", async () => {
  await using site = await undoing({ prepare: '[ "$ROTA_NODE" != web3 ] || [ "$RELEASE" = 1 ]' });
  await ran(site, "1");
  expect((await deploy(site, "2")).code).toBe(1);
  expect(await runsOf(site)).toEqual(["deploy failed", "deploy done"]);
  await using other = await undoing({ drain: { within: "3s" } });
  await ran(other, "1");
  for (const lb of other.balancers) lb.server("app", "web2").sessions = 1; // which does not end
  const settled = await deploy(other, "2");
  expect(settled.code).toBe(1);
  expect(settled.err).toContain("web2 is as it was found");
  expect(await currentOf(other)).toEqual(["2", "1", "1"]);
});

test.concurrent(
  "where it is not known what a node ran before, all stays as it is, and it is said",
  async () => {
    await using site = await undoing();
    await ran(site, "1", ["web2", "web3"]);
    const { code, err } = await deploy(site, "2");
    expect(code).toBe(1);
    expect(err).toContain(
      "note: on_failure: rollback could put nothing back: no good run of web1 is in the journal",
    );
    expect(err).toMatch(/rota: run \w+ failed, and is not rolled back: nobody knows what web1 ran before/);
    expect(err).toMatch(
      /left: {2}web2 is out of rotation; web1 is back in rotation; web3 was not touched[^]*next: {2}rota deploy web1 -i/,
    );
    expect(await currentOf(site)).toEqual(["2", "2", "1"]);
  },
);

test.concurrent("a node whose upgrade may still run stays out; the others are put back", async () => {
  await using site = await undoing({
    upgrade: 'echo "$RELEASE" > current; echo upgrading $RELEASE $ROTA_NODE',
  });
  await ran(site, "1");
  site.host("web2").dieDuring(/upgrading/);
  const { code, err } = await deploy(site, "2", "--min-serving", "1");
  expect(code).toBe(1);
  expect(err).toMatch(/web2 is left as it is: nobody knows whether its upgrade has ended/);
  expect(err).toMatch(/is rolled back by run \w+; web2 is as the run left it/);
  expect((await currentOf(site))[0]).toBe("1");
  expect(statesOf(site)).toEqual(["ready", "maint", "ready"]);
});

test.concurrent("one that fails too ends there: the node stays out, and it is said", async () => {
  await using site = await undoing({ restart: { run: '[ "$ROTA_NODE" != web2 ]' } });
  await ran(site, "1");
  const { code, err } = await deploy(site, "2");
  expect(code).toBe(1);
  expect(err).toMatch(
    /web2: restart on web2: exit code 1\n {2}left: {2}web2 is out of rotation; web1 was not touched/,
  );
  expect(await runsOf(site)).toEqual(["rollback failed", "deploy rolled back", "deploy done"]);
  expect(statesOf(site)).toEqual(["ready", "maint", "ready"]);
});

test.concurrent("min_serving holds for it: too few would serve, and it is said what to type", async () => {
  await using site = await undoing({
    upgrade: 'echo "$RELEASE" > current; echo upgrading $RELEASE $ROTA_NODE',
  });
  await ran(site, "1");
  site.host("web2").dieDuring(/upgrading/);
  const { code, err } = await deploy(site, "2");
  expect(code).toBe(1);
  expect(err).toMatch(/rota: run \w+ failed, and is not rolled back: too few would serve/);
  expect(err).toMatch(
    /next: {2}bring servers back first \(rota status -i \S+\); then: rota rollback \w+ -i \S+$/m,
  );
  expect(statesOf(site)).toEqual(["ready", "maint", "ready"]);
});

const moments: Moment[] = [
  { type: "run started" },
  ...["survey", "drain", "settle", "upgrade", "restart", "check", "ready"].map((step): Moment => ({
    type: "step ended",
    node: "web1",
    step,
  })),
  { type: "step started", node: "web1", step: "ready" },
  { type: "node ended", node: "web1" },
];

/** Every second one; all with CHAOS=full. */
const bounded = process.env["CHAOS"] === "full" ? moments : moments.filter((_, i) => i % 2 === 0);

test.concurrent.each(bounded.map((moment): [string, Moment] => [Object.values(moment).join(" "), moment]))(
  "a rollback that is killed at %s is resumed, and ends as an unbroken one",
  async (_name, moment) => {
    await using site = await siteOf({}, 2);
    await ran(site, "1");
    const undone = await ran(site, "2");
    const words = ["rollback", "-i", site.inventory];
    const run = await runUntilKilled(moment, words, { env: site.env });
    expect((await site.rota("status")).out).toContain(`run ${run} (rollback, by `);
    const { code, err } = await site.rota("resume");
    expect(code, err).toBe(0);
    expect(await currentOf(site)).toEqual(["1", "1"]);
    expect(statesOf(site)).toEqual(["ready", "ready"]);
    expect(await outcomeOf(site, run)).toBe("done");
    expect(await outcomeOf(site, undone)).toBe("rolled back");
    await using journal = await site.journal();
    expect(await journal.absences("fake")).toEqual(new Map());
    expect(await journal.lastSet("fake", "web2")).toEqual({ RELEASE: "1" });
    expect((await site.rota("rollback")).out).toContain("nothing is left to undo");
  },
);

test.concurrent("a deploy that was killed is undone: what was only drained is put back", async () => {
  await using site = await siteOf();
  await ran(site, "1");
  const words = ["deploy", "-i", site.inventory, "--set", "RELEASE=2"];
  const killed = await runUntilKilled({ type: "step ended", node: "web2", step: "settle" }, words, {
    env: site.env,
  });
  expect(statesOf(site)).toEqual(["ready", "drain", "ready"]);
  const { code, err } = await site.rota("rollback");
  expect(code, err).toBe(0);
  expect(err).toContain("was not upgraded, and is only put back");
  expect(await currentOf(site)).toEqual(["1", "1", "1"]);
  expect(site.host("web2").commands).toEqual([]);
  expect(statesOf(site)).toEqual(allReady);
  expect(await outcomeOf(site, killed)).toBe("rolled back");
});

test.concurrent(
  "an upgrade that may still run is not undone before a person says that it has ended",
  async () => {
    await using site = await siteOf({ upgrade: 'echo upgrading; sleep 0.3; echo "$RELEASE" > current' }, 2);
    await ran(site, "1");
    const words = ["deploy", "-i", site.inventory, "--set", "RELEASE=2"];
    await runUntilKilled({ type: "output", node: "web1", step: "upgrade" }, words, { env: site.env });
    const refused = await site.rota("rollback");
    expect(refused.code).toBe(3);
    expect(refused.err).toContain("nobody knows whether the upgrade of web1 has ended");
    expect(refused.err).toMatch(
      /next: {2}rota rollback \w+ -i \S+ --retry, once you have seen that it has ended/,
    );
    await vi.waitUntil(async () => (await currentOf(site))[0] === "2");
    const { code, err } = await site.rota("rollback", "--retry");
    expect(code, err).toBe(0);
    expect(await currentOf(site)).toEqual(["1", "1"]);
  },
);

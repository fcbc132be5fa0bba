/** The real program, in a process of its own, killed in the middle: resume ends where an unbroken run would. */
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { type StepName, stepNames } from "../../src/events/events.ts";
import { type Moment, buildProgram, runProgram, runUntilKilled } from "../fakes/program.ts";
import { type FakeSite, fakeSite, type Overrides } from "../fakes/site.ts";

vi.setConfig({ maxConcurrency: 4 });

beforeAll(buildProgram);

const at = (step: StepName, node = "web1"): Moment => ({ type: "step started", node, step });
const after = (step: StepName, node = "web1"): Moment => ({ type: "step ended", node, step });
const whileUpgrading: Moment = { type: "output", node: "web1", step: "upgrade" };

const moments: Moment[] = [
  { type: "run started" },
  // Where nothing fails, nothing is undone. Of an upgrade, and of what is done once, nobody knows the end then.
  ...stepNames
    .filter((step) => step !== "undo")
    .flatMap((step) => (/^(upgrade|once)$/.test(step) ? [after(step)] : [at(step), after(step)])),
  { type: "node ended", node: "web1" },
  at("survey", "web2"),
  after("restart", "web2"),
  { type: "node ended", node: "web2" },
];

const named = (moment: Moment): [string, Moment] => [Object.values(moment).join(" "), moment];

test.concurrent.each(moments.map(named))(
  "killed at %s: resumed, and nothing that was done is done again",
  async (_name, moment) => {
    await using site = await upgradedSite();
    const unproven = unprovenReadies(site);
    const run = await killedAt(site, moment);
    const { code, err } = await site.rota("resume");
    expect(code, err).toBe(0);
    await expectDone(site, run);
    expect(await upgradesOf(site)).toEqual([["2"], ["2"]]);
    expect(unproven).toEqual([]);
  },
);

test.concurrent("resumed from another directory, by another process, by its id", async () => {
  await using site = await upgradedSite();
  const run = await killedAt(site, after("restart"));
  const { code, stderr } = await runProgram(["resume", run, "-i", site.inventory], {
    env: site.env,
    cwd: tmpdir(),
  });
  expect(code, stderr).toBe(0);
  await expectDone(site, run);
  expect(await upgradesOf(site)).toEqual([["2"], ["2"]]);
});

test.concurrent(
  "killed when every node is done: status says so, and resume only closes the run",
  async () => {
    await using site = await upgradedSite();
    const run = await killedAt(site, { type: "node ended", node: "web2" });
    await using journal = await site.journal();
    await journal.nodeEnded(run, "web2", "back"); // as the program does next, and says nothing until the run's end
    const status = await site.rota("status");
    expect(status.out).toMatch(
      new RegExp(`run ${run} \\(deploy, by .+\\) is not finished: 2 done: rota resume ${run} -i .+, or`),
    );
    const told = ["web1", "web2"].map((node) => site.told(node));
    const { code, out, err } = await site.rota("resume");
    expect(code, err).toBe(0);
    expect(out).toBe(`nothing was left to do; run ${run} is done`);
    expect(["web1", "web2"].map((node) => site.told(node))).toEqual(told);
    await expectDone(site, run);
    expect(await upgradesOf(site)).toEqual([["2"], ["2"]]);
    const again = await site.rota("resume", run);
    expect(again.code).toBe(2);
    expect(again.err).toContain(`run ${run} is over (done); nothing is left of it`);
  },
);

test.concurrent.each([whileUpgrading, at("upgrade")].map(named))(
  "killed at %s: nobody knows the end of that upgrade, and it is not repeated before a person says so",
  async (_name, moment) => {
    await using site = await upgradedSite();
    const unproven = unprovenReadies(site);
    const run = await killedAt(site, moment);
    const told = site.told("web1");
    const refused = await site.rota("resume");
    expect(refused.code).toBe(2);
    expect(refused.err).toContain("nobody knows whether the upgrade of web1 was done");
    expect(refused.err).toContain("left:  nothing was touched");
    expect(site.told("web1")).toEqual(told);
    const { code, err } = await site.rota("resume", "--retry");
    expect(code, err).toBe(0);
    await expectDone(site, run);
    expect((await upgradesOf(site))[1]).toEqual(["2"]);
    expect(unproven).toEqual([]);
  },
);

test.concurrent("killed in the middle of an upgrade that may be repeated: it is", async () => {
  await using site = await upgradedSite({ upgrade: { run: script, repeat: "yes" } });
  const run = await killedAt(site, whileUpgrading);
  const { code, err } = await site.rota("resume");
  expect(code, err).toBe(0);
  await expectDone(site, run);
  expect(await upgradesOf(site)).toEqual([["2", "2"], ["2"]]);
});

test.concurrent.each([
  ["was", 'echo "$RELEASE" >> upgrades; echo upgrading; sleep 0.2', [["2"], ["2"]]],
  ["was not", 'echo upgrading; sleep 1; echo "$RELEASE" >> upgrades', [["2"], ["2"]]],
])(
  "killed in an upgrade that %s done by then: the node is asked, and it is not done twice",
  async (was, run, upgrades) => {
    // What was cut off goes on by itself on a node: the question waits for its end.
    const settled =
      was === "was"
        ? ""
        : "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do grep -qs . upgrades && break; sleep 0.25; done; ";
    const done_if = `${settled}[ "$(tail -n1 upgrades 2>/dev/null)" = "$RELEASE" ]`;
    await using site = await upgradedSite({ upgrade: { run, repeat: "no", done_if } });
    const id = await killedAt(site, whileUpgrading);
    const { code, err } = await site.rota("resume");
    expect(code, err).toBe(0);
    expect(err).toContain("the upgrade of web1 was done, as upgrade.done_if says");
    await expectDone(site, id);
    expect(await upgradesOf(site)).toEqual(upgrades);
  },
);

test.concurrent(
  "killed in an upgrade that is not done: the node says so, and a person is asked",
  async () => {
    await using site = await upgradedSite({ upgrade: { run: script, done_if: 'echo "is it?"; false' } });
    await killedAt(site, whileUpgrading);
    const refused = await site.rota("resume");
    expect(refused.code).toBe(2);
    expect(refused.err).toContain("nobody knows whether the upgrade of web1 was done");
  },
);

test.concurrent(
  "killed again and again: each resume goes on, and the upgrade is still done once",
  async () => {
    await using site = await upgradedSite();
    const unproven = unprovenReadies(site);
    const run = await killedAt(site, after("upgrade"));
    for (const step of ["drain", "restart", "ready"] as const)
      expect(await killedAt(site, at(step), ["resume"])).toBe(run);
    const { code, err } = await site.rota("resume");
    expect(code, err).toBe(0);
    await expectDone(site, run);
    expect(await upgradesOf(site)).toEqual([["2"], ["2"]]);
    expect(unproven).toEqual([]);
  },
);

/** Counts the upgrades in the login folder, and takes long enough to be killed meanwhile. */
const script = 'echo "$RELEASE" >> upgrades; echo upgrading; sleep 0.2';

const upgradedSite = (pool: Overrides = {}): Promise<FakeSite> =>
  fakeSite({
    pool: {
      prepare: "true",
      once: "true",
      upgrade: script,
      rollout: { soak: "300ms", inconclusive: "go-on" },
      ...pool,
    },
  });

/** Runs the program until it is killed. Returns the id of its run. */
const killedAt = (
  site: FakeSite,
  moment: Moment,
  [command, ...words]: [string, ...string[]] = ["deploy", "--set", "RELEASE=2"],
): Promise<string> => runUntilKilled(moment, [command, "-i", site.inventory, ...words], { env: site.env });

async function expectDone(site: FakeSite, run: string): Promise<void> {
  await using journal = await site.journal();
  expect(await journal.absences("fake")).toEqual(new Map());
  expect((await journal.run(run))?.outcome).toBe("done");
  expect(await journal.runs("fake", 10)).toHaveLength(1); // the same run, not another
  expect([site.stateOf("web1"), site.stateOf("web2")]).toEqual(["ready", "ready"]);
  expect((await site.rota("status")).out).not.toMatch(/not finished|left out|held/);
}

/** The releases that each node was upgraded to, in order. */
const upgradesOf = (site: FakeSite): Promise<string[][]> =>
  Promise.all(
    ["web1", "web2"].map(async (node) => {
      const upgrades = await readFile(join(site.host(node).folder, "upgrades"), "utf8");
      return upgrades.trimEnd().split("\n");
    }),
  );

/**
 * Fills with every `state ready` that a balancer is told of a node that is not drained with a full row of passes,
 * or that was not asked for its status since the last thing that was done on it.
 */
function unprovenReadies(site: FakeSite): string[] {
  const unproven: string[] = [];
  const asked = new Map<string, number>();
  for (const node of ["web1", "web2"]) {
    const { requests } = site.app(node);
    onEach(site.host(node).commands, () => asked.set(node, requests.length));
  }
  for (const balancer of site.balancers)
    onEach(balancer.lines, (line) => {
      for (const [command, node = ""] of line.matchAll(/set server app\/(\w+) state ready/g)) {
        const { health, rise, fall } = balancer.server("app", node);
        const passed = balancer.stateOf("app", node) === "drain" && health === rise + fall - 1;
        const checked = site.app(node).requests.length >= (asked.get(node) ?? 0) + 2;
        if (!passed || !checked) unproven.push(command);
      }
    });
  return unproven;
}

/** Hears what is put into a list, before it is in there. */
function onEach(list: string[], heard: (text: string) => void): void {
  const push = list.push.bind(list);
  list.push = (...texts) => {
    texts.forEach(heard);
    return push(...texts);
  };
}

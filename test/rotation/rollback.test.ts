/** `rota rollback`: what each node ran before comes back, proven, and nothing is guessed. */
import { readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { fakeSite } from "../fakes/site.ts";
import { currentOf, deploy, lastRun, outcomeOf, ran, running, siteOf, statesOf } from "./released.ts";

vi.setConfig({ maxConcurrency: 4 });

const allReady = ["ready", "ready", "ready"];

test.concurrent("a deploy that ended well is undone: every node runs what it ran before", async () => {
  await using site = await siteOf();
  const first = await ran(site, "1");
  const second = await ran(site, "2");
  const { code, err, out } = await site.rota("rollback");
  expect(code, err).toBe(0);
  expect(err).toContain(`run ${second} (deploy RELEASE=2, by `);
  expect(err).toContain(`web1 goes back to RELEASE=1 (run ${first})`);
  expect(out).toMatch(/^rollback fake: done in /);
  expect(await currentOf(site)).toEqual(["1", "1", "1"]);
  expect(statesOf(site)).toEqual(allReady);
  expect(await outcomeOf(site, second)).toBe("rolled back");
  expect((await site.rota("resume", second)).err).toContain(`run ${second} is over (rolled back)`);
  const runs = await site.rota("runs");
  expect(runs.out).toMatch(/rollback fake RELEASE=1 +3 +done/);
});

test.concurrent("a node that failed goes first; one that the run did not get to is left alone", async () => {
  await using site = await siteOf({ restart: { run: '[ "$(cat current)$ROTA_NODE" != 2web2 ]' } });
  await ran(site, "1");
  expect((await deploy(site, "2")).code).toBe(1);
  expect(statesOf(site)).toEqual(["ready", "maint", "ready"]);
  const untold = site.told("web3");
  const { code, err, events } = await site.rota("rollback", "--json");
  expect(code, err).toBe(0);
  const batches = events.flatMap((event) => (event.type === "batch started" ? [event.nodes] : []));
  expect(batches).toEqual([["web2"], ["web1"]]);
  const [begun] = events;
  const why: unknown = expect.stringMatching(/^run \w+ did not get to it: it is as it was$/);
  expect(begun).toMatchObject({
    command: "rollback",
    set: { RELEASE: "1" },
    leftAlone: [{ node: "web3", why }],
  });
  expect(site.told("web3")).toEqual(untold);
  expect(await currentOf(site)).toEqual(["1", "1", "1"]);
  expect(statesOf(site)).toEqual(allReady);
  expect((await site.rota("status")).out).not.toMatch(/not finished|left out|held/);
});

test.concurrent("nodes may differ in what they ran before: each gets its own", async () => {
  await using site = await siteOf();
  await ran(site, "1");
  await ran(site, "2", ["web2"]);
  await ran(site, "3");
  const { code, err } = await site.rota("rollback");
  expect(code, err).toBe(0);
  expect(await currentOf(site)).toEqual(["1", "2", "1"]);
  await using journal = await site.journal();
  expect(await journal.lastSet("fake", "web1")).toEqual({ RELEASE: "1" });
  expect(await journal.lastSet("fake", "web2")).toEqual({ RELEASE: "2" });
});

test.concurrent("the pool's rollback runs instead of its upgrade, with $PREVIOUS", async () => {
  await using site = await siteOf({
    prepare: "echo prepared >> upgrades",
    rollback: 'echo "back to $PREVIOUS" >> upgrades; echo "$PREVIOUS" > current',
  });
  await ran(site, "1");
  await ran(site, "2");
  const { code, err } = await site.rota("rollback");
  expect(code, err).toBe(0);
  const upgrades = await readFile(join(site.host("web1").folder, "upgrades"), "utf8");
  expect(upgrades).toBe("back to 1\n");
  expect(await currentOf(site)).toEqual(["1", "1", "1"]);
});

test.concurrent("a rollback is fast: neither canary nor soak nor steps of weight", async () => {
  await using site = await fakeSite({
    nodes: 3,
    pool: {
      ...running,
      rollout: { canary: 1, batch: [1, 2], soak: "10m", min_serving: 1 },
    },
  });
  await ran(site, "1");
  await ran(site, "2");
  const { events, code, err } = await site.rota("rollback", "--json");
  expect(code, err).toBe(0);
  const batches = events.flatMap((event) => (event.type === "batch started" ? [event.nodes] : []));
  expect(batches).toEqual([["web1", "web2"], ["web3"]]);
  expect(events.filter((event) => event.type === "step started" && event.step === "soak")).toEqual([]);
});

test.concurrent("typed twice, it undoes nothing more, and says what would", async () => {
  await using site = await siteOf();
  await ran(site, "1");
  const second = await ran(site, "2");
  const third = await ran(site, "3");
  expect((await site.rota("rollback")).code).toBe(0);
  const undoing = await lastRun(site);
  const told = site.told("web1");
  const { code, out } = await site.rota("rollback");
  expect(code).toBe(0);
  expect(out).toContain(`nothing is left to undo of run ${third} (deploy RELEASE=3)`);
  expect(out).toContain(`web1 was put back already by run ${undoing}`);
  expect(out).toMatch(new RegExp(`the deploy before it: rota rollback ${second} -i `));
  expect(site.told("web1")).toEqual(told);
  expect(await lastRun(site)).toBe(undoing);
  // The deploy before may be undone too: each rollback goes back by one.
  const back = await site.rota("rollback", second);
  expect(back.code, back.err).toBe(0);
  expect(await currentOf(site)).toEqual(["1", "1", "1"]);
});

test.concurrent("a rollback can be undone too: what it took away comes back", async () => {
  await using site = await siteOf();
  await ran(site, "1");
  await ran(site, "2");
  expect((await site.rota("rollback")).code).toBe(0);
  const redo = await site.rota("rollback", await lastRun(site));
  expect(redo.code, redo.err).toBe(0);
  expect(await currentOf(site)).toEqual(["2", "2", "2"]);
  await ran(site, "3");
  expect((await site.rota("rollback")).code).toBe(0);
  expect(await currentOf(site)).toEqual(["2", "2", "2"]);
});

test.concurrent("what a node ran before its first deploy is not guessed", async () => {
  await using site = await siteOf();
  await ran(site, "1", ["web1"]);
  const run = await ran(site, "2");
  const told = site.told("web1");
  const refused = await site.rota("rollback");
  expect(refused.code).toBe(3);
  expect(refused.err).toContain(
    `nobody knows what web2 ran before run ${run}: the journal has no earlier good run of it`,
  );
  expect(refused.err).toContain("left:  nothing was touched");
  expect(refused.err).toMatch(
    /next: {2}rota deploy web2 web3 -i \S+ --set RELEASE=…; or rota rollback \w+ -i \S+ --skip web2 --skip web3$/m,
  );
  expect(site.told("web1")).toEqual(told);
  expect(await outcomeOf(site, run)).toBe("done");
  const { code, err } = await site.rota("rollback", "--skip", "web2", "--skip", "web3");
  expect(code, err).toBe(0);
  expect(await currentOf(site)).toEqual(["1", "2", "2"]);
});

test.concurrent("what is good only because it was pruned before is not guessed either", async () => {
  await using site = await siteOf();
  for (const release of ["1", "2", "3"]) await ran(site, release);
  await using journal = await site.journal();
  expect(await journal.prune(new Date(Date.now() + 60_000))).toBe(1); // the last two stay
  const { code, err } = await site.rota("rollback");
  expect(code, err).toBe(0);
  expect(await currentOf(site)).toEqual(["2", "2", "2"]);
  const [, second] = await journal
    .runs("fake", 10)
    .then((runs) => runs.filter(({ command }) => command === "deploy"));
  const further = await site.rota("rollback", second?.run ?? "");
  expect(further.code).toBe(3);
  expect(further.err).toContain("nobody knows what web1 ran before");
});

test.concurrent("a secret that is not in the environment is refused, and nothing is touched", async () => {
  await using site = await siteOf({ vars: { TOKEN: { env: "SITE_TOKEN", secret: true } } });
  site.env["SITE_TOKEN"] = "tooth-fairy";
  await ran(site, "1");
  const run = await ran(site, "2");
  delete site.env["SITE_TOKEN"];
  const { code, err } = await site.rota("rollback");
  expect(code).toBe(3);
  expect(err).toContain("web1 needs TOKEN from $SITE_TOKEN, which is not set");
  expect(err).toContain("export SITE_TOKEN=…");
  expect(await outcomeOf(site, run)).toBe("done");
});

test.concurrent(
  "a run that another one came after is refused, and the one to undo first is named",
  async () => {
    await using site = await siteOf();
    await ran(site, "1");
    const second = await ran(site, "2");
    const third = await ran(site, "3", ["web2"]);
    const { code, err } = await site.rota("rollback", second);
    expect(code).toBe(3);
    expect(err).toContain(`web2 was changed since by run ${third} (deploy RELEASE=3)`);
    expect(err).toMatch(new RegExp(`next: {2}rota rollback ${third} -i \\S+, which comes first`));
  },
);

test.concurrent("runs that change no release have nothing to undo", async () => {
  await using site = await siteOf();
  expect(await site.rota("rollback")).toMatchObject({
    code: 2,
    err: expect.stringContaining("has no deploy yet"),
  });
  await ran(site, "1");
  await using journal = await site.journal();
  const start = { command: "drain", fleet: "fake", by: "ada@here", reason: undefined, args: {} } as const;
  const { code, err } = await site.rota(
    "rollback",
    await journal.begin({ ...start, set: {}, nodes: ["web1"] }),
  );
  expect(code).toBe(2);
  expect(err).toMatch(/run \w+ is a drain: it changed no release/);
});

test.concurrent("an aborted run is undone too; what it holds is put right, and stays held", async () => {
  await using site = await siteOf();
  await ran(site, "1");
  expect((await deploy(site, "bad")).code).toBe(1);
  expect((await site.rota("abort", "--reason", "bad release")).code).toBe(0);
  const { code, err } = await site.rota("rollback");
  expect(code, err).toBe(0);
  expect(await currentOf(site)).toEqual(["1", "1", "1"]);
  expect(site.stateOf("web1")).toBe("maint");
  expect((await site.rota("ready", "web1")).code).toBe(0);
  expect(site.stateOf("web1")).toBe("ready");
});

test.concurrent(
  "one that fails on a node stops there: the node stays out, and it can be resumed",
  async () => {
    await using site = await siteOf({ restart: { run: '[ "$(cat current)" != 1 ] || [ ! -e broken ]' } });
    await ran(site, "1");
    await ran(site, "2");
    await site.host("web2").write("broken");
    const failed = await site.rota("rollback");
    expect(failed.code).toBe(1);
    expect(failed.err).toContain("web2 is out of rotation; web1 is back in rotation; web3 was not touched");
    expect(statesOf(site)).toEqual(["ready", "maint", "ready"]);
    expect(await currentOf(site)).toEqual(["1", "1", "2"]);
    await unlink(join(site.host("web2").folder, "broken"));
    const { code, err } = await site.rota("resume", "--retry");
    expect(code, err).toBe(0);
    expect(await currentOf(site)).toEqual(["1", "1", "1"]);
    expect(statesOf(site)).toEqual(allReady);
  },
);

test.concurrent("a dry run shows the plan and touches nothing", async () => {
  await using site = await siteOf();
  await ran(site, "1");
  const run = await ran(site, "2");
  const { code, err } = await site.rota("rollback", "--dry-run");
  expect(code, err).toBe(0);
  expect(err).toContain("web1 goes back to RELEASE=1");
  expect(await outcomeOf(site, run)).toBe("done");
  expect(await currentOf(site)).toEqual(["2", "2", "2"]);
});

import { expect, test, vi } from "vitest";
import { fakeSite, type FakeSite } from "../fakes/site.ts";

const deploy = (site: FakeSite, ...words: string[]) =>
  site.rota("deploy", "--set", "RELEASE=2", "--json", ...words);

const batchesOf = ({ events }: Awaited<ReturnType<typeof deploy>>): string[][] =>
  events.flatMap((event) => (event.type === "batch started" ? [event.nodes] : []));

test("an interrupted run goes on where it stopped, in the same run, with what it was given", async () => {
  await using site = await fakeSite({ nodes: 3 });
  site.atStep("web1", "settle", () => void process.emit("SIGTERM", "SIGTERM"));
  const first = await deploy(site, "--min-serving", "1", "--reason", "new logo");
  expect(first.code).toBe(4);
  const [, run = ""] = /next: {2}rota resume (\w+) -i \S+, which does the rest/.exec(first.err) ?? [];
  expect((await site.rota("status")).out).not.toContain("not finished"); // it ended in order
  const second = await site.rota("resume", run, "--json");
  expect(second.code, second.err).toBe(0);
  expect(batchesOf(second)).toEqual([["web2"], ["web3"]]);
  expect(second.events[0]).toMatchObject({
    run,
    command: "deploy",
    set: { RELEASE: "2" },
    reason: "new logo",
  });
  expect(site.host("web1").commands).toHaveLength(2);
  expect((await site.rota("show", run)).out).toMatch(/, done\n(.*\n)*.*web1 {2}back(.*\n)*.*web3 {2}back/);
  const third = await site.rota("resume");
  expect(third.code).toBe(2);
  expect(third.err).toContain(`run ${run} is over (done); nothing is left of it`);
});

test("a node that failed is tried again only if a person says so, or is left as it is", async () => {
  await using site = await fakeSite({
    nodes: 4,
    pool: { restart: { run: '[ "$ROTA_NODE" != web2 ] || [ -e mended ]' } },
  });
  const first = await deploy(site);
  expect(first.code).toBe(1);
  expect(first.err).toMatch(
    /next: {2}rota resume \w+ -i \S+ --retry, once web2 can be well; or rota resume \w+ -i \S+ --skip web2$/,
  );
  const undecided = await site.rota("resume");
  expect(undecided.code).toBe(2);
  expect(undecided.err).toMatch(/web2 failed in run \w+: is it to be tried again, or left out\?/);
  const skipped = await site.rota("resume", "--skip", "web2", "--json");
  expect(skipped.code, skipped.err).toBe(0);
  expect(batchesOf(skipped)).toEqual([["web3"], ["web4"]]);
  expect(site.stateOf("web2")).toBe("maint");
  expect(site.stateOf("web3")).toBe("ready");
});

test("a retry does not upgrade again what was upgraded, and restarts it", async () => {
  await using site = await fakeSite({ pool: { restart: { run: "echo restarting; [ -e mended ]" } } });
  expect((await deploy(site)).code).toBe(1);
  await site.host("web1").write("mended");
  await site.host("web2").write("mended");
  const again = await site.rota("resume", "--retry", "--json");
  expect(again.code, again.err).toBe(0);
  expect(batchesOf(again)).toEqual([["web1"], ["web2"]]);
  const { restart, upgrade } = countsOf(site, "web1");
  expect({ restart, upgrade }).toEqual({ restart: 2, upgrade: 1 });
  expect(site.stateOf("web1")).toBe("ready");
});

test("an upgrade that may have been done is repeated only where that is allowed", async () => {
  await using site = await fakeSite({ nodes: 1, pool: { rollout: { min_serving: 0 } } });
  site.host("web1").dieDuring(/upgrading/);
  expect((await deploy(site)).code).toBe(1);
  expect((await site.rota("resume")).code).toBe(2); // it failed: nobody says what is to be done
  site.host("web1").dieDuring(/(?!)/); // it lives again
  const retried = await site.rota("resume", "--retry");
  expect(retried.code, retried.err).toBe(0);
  expect(site.stateOf("web1")).toBe("ready");
});

test("an aborted run leaves in what is proven, and holds what it took out", async () => {
  await using site = await fakeSite({ nodes: 4, pool: { restart: { run: '[ "$ROTA_NODE" != web2 ]' } } });
  expect((await deploy(site)).code).toBe(1);
  const { code, out, err } = await site.rota("abort", "--reason", "bad release");
  expect(code, err).toBe(0);
  expect(out).toMatch(
    /^run \w+ is aborted; held: web2 \(rota ready NODE -i \S+ brings a node back, proven\)$/,
  );
  expect(site.stateOf("web1")).toBe("ready");
  expect(site.stateOf("web2")).toBe("maint");
  expect((await site.rota("status")).out).toMatch(/web2 .*held by \S+ for \S+: bad release/);
  expect((await site.rota("resume")).err).toMatch(/run \w+ is over \(aborted\)/);
  const next = await deploy(site);
  expect(next.code).toBe(0);
  expect(batchesOf(next)).toEqual([["web1"], ["web3"], ["web4"]]);
});

test("an abort holds no node that it did not name: what changed while it waited is shown first", async () => {
  await using site = await fakeSite({ nodes: 3, pool: { restart: { run: '[ "$ROTA_NODE" != web2 ]' } } });
  expect((await deploy(site)).code).toBe(1);
  await using journal = await site.journal();
  const claim = { fleet: "fake", by: "bob@far", command: "resume", reason: undefined };
  const taken = await journal.take({ ...claim, host: "far", pid: 1, started: "" });
  if (!("epoch" in taken)) throw new Error("the lease is held");
  const web2 = (await journal.absences("fake")).get("web2");
  if (!web2) throw new Error("web2 is not out");
  const waits = new Promise<void>((resolve) => site.whenSaid(/^waiting for the lease/, resolve));
  const aborting = site.rota("abort", "--wait", "20s");
  await waits;
  await journal.under("fake", taken.epoch).takenOut("fake", { ...web2, node: "web3" });
  await journal.release("fake", taken.epoch);
  const { code, err } = await aborting;
  expect(code).toBe(3);
  expect(err).toContain("web2 stays out, and is held");
  expect(err).toMatch(/somebody went on with run \w+ meanwhile: other nodes are out now/);
  expect((await journal.absences("fake")).get("web3")?.kind).toBe("run");
});

/** So that a busy machine can't be past web1 before the pause is told. */
const wellOnce = (site: FakeSite, isTold: () => boolean): void =>
  site.app("web1").answers(() => ({ status: isTold() ? 200 : 503 }));

test("a paused run finishes the node in hand, starts no other, and goes on when it is resumed", async () => {
  await using site = await fakeSite();
  const said: string[] = [];
  site.atStep("web1", "check", () => void site.rota("pause").then(({ out }) => said.push(out)));
  wellOnce(site, () => said.length > 0);
  const running = deploy(site);
  await vi.waitUntil(() => said.length > 0 && site.stateOf("web1") === "ready", { timeout: 30_000 });
  await vi.waitUntil(async () => (await site.rota("runs")).out.includes("unfinished"), { timeout: 30_000 });
  expect(said[0]).toMatch(/^run \w+ starts no other node until: rota resume \w+ -i \S+$/);
  expect(site.told("web2")).toEqual([]);
  expect((await site.rota("resume")).out).toMatch(/^run \w+ goes on where it runs$/);
  const { code, events, err } = await running;
  expect(code, err).toBe(0);
  expect(events).toContainEqual(
    expect.objectContaining({ type: "notice", text: expect.stringMatching(/^paused by \S+; rota resume/) }),
  );
  expect(site.stateOf("web2")).toBe("ready");
});

test("who paused, went on, aborted, unlocked and pruned, when and why, is in the history", async () => {
  await using site = await fakeSite({
    nodes: 3,
    pool: { restart: { run: '[ "$RELEASE$ROTA_NODE" != 3web2 ]' } },
  });
  let isPaused = false;
  site.atStep(
    "web1",
    "check",
    () => void site.rota("pause", "--reason", "lunch").then(() => (isPaused = true)),
  );
  wellOnce(site, () => isPaused);
  const running = deploy(site);
  await vi.waitUntil(async () => (await site.rota("runs")).out.includes(": lunch"), { timeout: 30_000 });
  expect((await site.rota("resume", "--reason", "back")).out).toMatch(/goes on where it runs$/);
  expect((await running).code).toBe(0);
  expect((await site.rota("deploy", "--set", "RELEASE=3")).code).toBe(1);
  expect((await site.rota("abort", "--reason", "bad release")).code).toBe(0);
  expect((await site.rota("prune", "--older-than", "90d")).code).toBe(0);
  await using journal = await site.journal();
  const claim = { fleet: "fake", by: "bob@far", command: "deploy", reason: undefined };
  await journal.take({ ...claim, host: "far", pid: 1, started: "" });
  expect((await site.rota("unlock", "--yes", "--reason", "bob sleeps")).code).toBe(0);

  const { runs, deeds } = JSON.parse((await site.rota("runs", "--json")).out);
  expect(runs).toHaveLength(2);
  expect(deeds).toMatchObject([
    {
      deed: "unlock",
      by: expect.stringContaining("@"),
      reason: "bob sleeps",
      what: expect.stringMatching(/bob@far/),
    },
    { deed: "prune", what: "removed 0 runs" },
    {
      deed: "abort",
      reason: "bad release",
      what: expect.stringContaining("web2 stays out"),
      run: runs[0].run,
    },
    { deed: "resume", reason: "back", run: runs[1].run },
    { deed: "pause", reason: "lunch", run: runs[1].run },
  ]);
  const shown = await site.rota("show", runs[1].run);
  expect(shown.out).toMatch(/pause by \S+: lunch\n.*resume by \S+: back; it goes on where it runs/);
});

test("nothing to pause, nothing to resume: said, and what to type", async () => {
  await using site = await fakeSite();
  expect(await site.rota("pause")).toMatchObject({
    code: 2,
    err: expect.stringContaining("no run of fake is under way"),
  });
  expect(await site.rota("resume")).toMatchObject({
    code: 2,
    err: expect.stringContaining("fake has no run yet"),
  });
  expect(await site.rota("abort")).toMatchObject({
    code: 2,
    err: expect.stringContaining("fake has no run yet"),
  });
});

function countsOf(site: FakeSite, node: string): { upgrade: number; restart: number } {
  const { commands } = site.host(node);
  return {
    upgrade: commands.filter((command) => command.includes("upgrading")).length,
    restart: commands.filter((command) => command.includes("restarting")).length,
  };
}

test("a resume that waited for another one of the same run does not do it once more", async () => {
  await using site = await fakeSite({ nodes: 3 });
  site.atStep("web1", "settle", () => void process.emit("SIGTERM", "SIGTERM"));
  expect((await deploy(site, "--min-serving", "1")).code).toBe(4);
  const [one, other] = await Promise.all([
    site.rota("resume", "--wait", "30s"),
    site.rota("resume", "--wait", "30s"),
  ]);
  expect([one.code, other.code].toSorted((a, b) => a - b)).toEqual([0, 3]);
  expect(`${one.err}${other.err}`).toMatch(
    /somebody else went on with run \w+ meanwhile\n {2}left: {2}nothing was touched/,
  );
  for (const node of ["web2", "web3"]) expect(site.host(node).commands).toHaveLength(2);
});

test("a run that another took over is not resumed past it; one that gave the same may be", async () => {
  const failsOnce = '[ "$ROTA_NODE" != web2 ] || [ -e tried ] || { touch tried; exit 3; }';
  await using site = await fakeSite({ nodes: 4, pool: { upgrade: failsOnce } });
  await site.rota("deploy", "--set", "RELEASE=2");
  await using journal = await site.journal();
  const [first] = await journal.runs("fake", 1);
  const run = first?.run ?? "";
  await site.rota("deploy", "web2", "--set", "RELEASE=2");
  await site.rota("deploy", "web3", "--set", "RELEASE=3");
  const before = site.host("web3").commands.length;
  const { code, err } = await site.rota("resume", run, "--retry");
  expect(code).toBe(3);
  expect(err).toMatch(/run \w+ \(deploy\) came after run \w+, and gave web3 something else/);
  expect(err).toMatch(/next: {2}rota abort \w+ -i \S+, which closes it; then rota deploy/);
  expect(site.host("web3").commands).toHaveLength(before);
  const rest = await site.rota("resume", run, "--retry", "--skip", "web3");
  expect(rest.code, rest.err).toBe(0);
  expect(await journal.lastSet("fake", "web4")).toEqual({ RELEASE: "2" });
});

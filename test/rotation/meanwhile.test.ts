/** What changes between a run and what is typed about it next: the inventory, the lease, other people's runs. */
import { readFile, writeFile } from "node:fs/promises";
import { beforeAll, expect, test, vi } from "vitest";
import { thisProcess } from "../../src/journal/process.ts";
import { buildProgram, runUntilKilled } from "../fakes/program.ts";
import { type FakeSite, fakeSite } from "../fakes/site.ts";

beforeAll(buildProgram);

const deploy = ["deploy", "--set", "RELEASE=2"];
const withoutWeb1 = { restart: { run: '[ "$ROTA_NODE" != web1 ]' } };

async function edit(site: FakeSite, what: RegExp | string, by: string): Promise<void> {
  const text = await readFile(site.inventory, "utf8");
  await writeFile(site.inventory, text.replace(what, by));
}

test.concurrent(
  "a balancer that a run did without, and that left the inventory since, stops no resume",
  async () => {
    await using site = await fakeSite({ nodes: 4, pool: withoutWeb1 });
    site.balancer("lb2").always("reset");
    expect((await site.rota(...deploy, "--tolerate", "lb2")).code).toBe(1);
    await edit(site, /^ {2}lb2: .*\n/m, "");
    const { code, err } = await site.rota("resume", "--skip", "web1");
    expect(code, err).toBe(0);
    expect(site.balancer("lb1").stateOf("app", "web3")).toBe("ready");
  },
);

test.concurrent("a node that failed, and left the inventory since, needs no word about it", async () => {
  await using site = await fakeSite({ nodes: 4, pool: withoutWeb1 });
  expect((await site.rota(...deploy)).code).toBe(1);
  await edit(site, "web1:", "web9:");
  const { code, err } = await site.rota("resume");
  expect(code, err).toBe(0);
  expect(err).toContain("web1: no longer in the inventory, and left as it is");
  expect(site.host("web3").commands.length).toBeGreaterThan(0);
});

test.concurrent("a resume that would leave too few names no option that it does not have", async () => {
  await using site = await fakeSite({ nodes: 3, pool: withoutWeb1 });
  expect((await site.rota(...deploy)).code).toBe(1);
  const { code, err } = await site.rota("resume", "--skip", "web1");
  expect(code).toBe(3);
  expect(err).toMatch(/next: {2}bring servers back first \(rota status -i \S+\), then the same again$/);
});

test.concurrent(
  "whoever puts a held node back ends the hold, also where a balancer was done without",
  async () => {
    await using site = await fakeSite({ nodes: 3 });
    expect((await site.rota("drain", "web1", "--reason", "disk swap")).code).toBe(0);
    site.balancer("lb2").always("reset");
    const ready = await site.rota("ready", "web1", "--tolerate", "lb2");
    expect(ready.code, ready.err).toBe(0);
    expect((await site.rota("status")).out).not.toContain("held by");
    const deployed = await site.rota(...deploy, "--tolerate", "lb2");
    expect(deployed.code, deployed.err).toBe(0);
    expect(site.host("web1").commands.length).toBeGreaterThan(0);
    expect(site.balancer("lb1").stateOf("app", "web1")).toBe("ready");
  },
);

test.concurrent("with --json, a resume that has nothing to do answers in JSON too", async () => {
  await using site = await fakeSite({ pool: { restart: { run: '[ "$ROTA_NODE" != web2 ]' } } });
  expect((await site.rota(...deploy)).code).toBe(1);
  const { code, out, err } = await site.rota("resume", "--skip", "web2", "--json");
  expect(code, err).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ end: "done" });
});

test("a pause is for a run that is under way, not for one that the lease's holder has yet to come to", async () => {
  await using site = await fakeSite();
  const words = [...deploy, "-i", site.inventory] as const;
  const run = await runUntilKilled({ type: "step ended", node: "web1", step: "ready" }, [...words], {
    env: site.env,
  });
  await using journal = await site.journal();
  await journal.pause(run, "ann@here"); // just before it was killed
  const claim = { fleet: "fake", by: "bob@far", command: "abort", reason: undefined, ...thisProcess() };
  const taken = await journal.take(claim);
  if (!("epoch" in taken)) throw new Error("the lease is held");
  const paused = await site.rota("pause");
  expect(paused.code).toBe(2);
  expect(paused.err).toMatch(/no run of fake is under way yet; it is held by bob@far .*, rota abort/);
  const resumed = await site.rota("resume");
  expect(resumed.code).toBe(3);
  expect(resumed.err).toContain("somebody changes fake now: bob@far");
  await journal.release("fake", taken.epoch);
  // A pause while it goes on holds.
  const said: string[] = [];
  site.atStep("web2", "survey", () => void site.rota("pause").then(({ out }) => said.push(out)));
  site.app("web2").answers(() => ({ status: said.length > 0 ? 200 : 503 }));
  const { code, err } = await site.rota("resume", "--json");
  expect(code, err).toBe(0);
  await vi.waitUntil(() => said.length > 0);
  expect(said[0]).toBe(`run ${run} starts no other node until: rota resume ${run} -i ${site.inventory}`);
});

test.concurrent(
  "a reason is one printable line of at most 500 characters, wherever it is shown",
  async () => {
    await using site = await fakeSite();
    const reason = `disk\u001b[31m\nrun abcdef web9 fine\r\n${"x".repeat(100_000)}`;
    expect((await site.rota("drain", "web1", "--reason", reason)).code).toBe(0);
    for (const command of ["runs", "status"]) {
      const { out } = await site.rota(command);
      expect(out).toContain("disk[31m run abcdef web9 fine xxx");
      expect(out).not.toContain("x".repeat(500));
    }
  },
);

test.concurrent("a secret that must be quoted is not shown in what to type next", async () => {
  await using site = await fakeSite({ pool: { vars: { TOKEN: { env: "TOKEN", secret: true } } } });
  site.env["TOKEN"] = "it's-hidden";
  site.atStep("web1", "drain", () => site.balancer("lb2").always("reset"));
  const { code, err, out } = await site.rota("drain", "web1", "--reason", "for it's-hidden", "--json");
  expect(code).toBe(3);
  expect(err).toContain("next:  rota drain web1");
  expect(`${err}${out}`).not.toContain("s-hidden");
});

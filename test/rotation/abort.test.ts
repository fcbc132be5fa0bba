/** What `rota abort` holds, and what it tells the balancers. */
import { beforeAll, expect, test } from "vitest";
import { runUntilKilled, buildProgram } from "../fakes/program.ts";
import { type FakeSite, fakeSite } from "../fakes/site.ts";

beforeAll(buildProgram);

const deploy = ["deploy", "--set", "RELEASE=2"];
const withoutWeb1 = { restart: { run: '[ "$ROTA_NODE" != web1 ]' } };
const holdOf = async (site: FakeSite, node: string) => {
  await using journal = await site.journal();
  return (await journal.absences("fake")).get(node);
};

test.concurrent(
  "a balancer that does not answer refuses an abort; nothing is held by it, and the next one holds all",
  async () => {
    await using site = await fakeSite({ nodes: 3, pool: withoutWeb1 });
    expect((await site.rota(...deploy)).code).toBe(1);
    site.balancer("lb1").reload(); // which forgets that web1 is out
    site.balancer("lb2").always("reset");
    const refused = await site.rota("abort");
    expect(refused.code).toBe(3);
    expect(refused.err).toContain("left:  nothing was touched");
    expect(refused.err).toContain("--tolerate lb2, if it is known to be gone");
    expect(await holdOf(site, "web1")).toMatchObject({ kind: "run" });
    expect(site.balancer("lb1").stateOf("app", "web1")).toBe("ready");
    const aborted = await site.rota("abort", "--tolerate", "lb2");
    expect(aborted.code, aborted.err).toBe(0);
    expect(aborted.err).toContain("web1 stays out, and is held");
    expect(await holdOf(site, "web1")).toMatchObject({ kind: "hold" });
    expect(site.balancer("lb1").stateOf("app", "web1")).toBe("maint");
  },
);

test.concurrent(
  "a balancer that the run did without, and that serves what failed, is named by status and told by abort",
  async () => {
    await using site = await fakeSite({ nodes: 3, pool: withoutWeb1 });
    const lb2 = site.balancer("lb2");
    lb2.always("reset");
    expect((await site.rota(...deploy, "--tolerate", "lb2")).code).toBe(1);
    lb2.always(undefined);
    const { out } = await site.rota("status");
    expect(out).toMatch(
      /^! web1 is out on lb1\/app and IN ROTATION on lb2\/app: rota drain web1.*, or rota ready/,
    );
    const { code, err } = await site.rota("abort");
    expect(code, err).toBe(0);
    expect(site.stateOf("web1")).toBe("maint");
    expect((await holdOf(site, "web1"))?.found.map(({ balancer }) => balancer)).toEqual(["lb1", "lb2"]);
    expect((await site.rota("status")).out).not.toContain("!");
    const back = await site.rota("ready", "web1");
    expect(back.code, back.err).toBe(0);
    expect(site.stateOf("web1")).toBe("ready");
  },
);

test.concurrent("a backend that is gone since keeps no run open", async () => {
  await using site = await fakeSite({ pool: withoutWeb1 });
  expect((await site.rota(...deploy)).code).toBe(1);
  await using journal = await site.journal();
  const web1 = (await journal.absences("fake")).get("web1");
  if (!web1) throw new Error("web1 is not out");
  const old = web1.found.map((place) => ({ ...place, backend: "old" }));
  await journal.takenOut("fake", { ...web1, found: [...web1.found, ...old] });
  const { code, out, err } = await site.rota("abort");
  expect(code, err).toBe(0);
  expect(out).toContain("held: web1");
});

test.concurrent(
  "a failed node that is down, and that a reload forgot, is told: its check may pass again",
  async () => {
    await using site = await fakeSite({ pool: withoutWeb1 });
    expect((await site.rota(...deploy)).code).toBe(1);
    for (const lb of site.balancers) {
      lb.reload();
      Object.assign(lb.server("app", "web1"), { health: 0, operational: 0, passes: false });
    }
    const { code, err } = await site.rota("abort");
    expect(code, err).toBe(0);
    expect(site.stateOf("web1")).toBe("maint");
  },
);

test("a drain that was cut off is closed, and its node is said to be held by whoever drained it", async () => {
  await using site = await fakeSite();
  const words = ["drain", "web1", "-i", site.inventory, "--reason", "disk swap"];
  await runUntilKilled({ type: "step started", node: "web1", step: "settle" }, words, { env: site.env });
  const { code, err } = await site.rota("abort", "--reason", "too late");
  expect(code, err).toBe(0);
  expect(err).toContain("web1 stays out, and is held");
  expect(await holdOf(site, "web1")).toMatchObject({ kind: "hold", reason: "disk swap" });
});

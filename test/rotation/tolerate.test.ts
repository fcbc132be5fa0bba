/** A balancer that is known to be gone: --tolerate. */
import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parseDocument } from "yaml";
import { fakeSite } from "../fakes/site.ts";
import { fakeHost } from "../fakes/ssh-host.ts";

const deploy = ["deploy", "--set", "RELEASE=42", "--yes"];
const restarts = (site: { host(name: string): { commands: string[] } }, node: string): number =>
  site.host(node).commands.length;

test.concurrent("a balancer that is gone refuses a deploy, and what to type is said", async () => {
  await using site = await fakeSite();
  site.balancer("lb2").always("reset");
  const { code, err } = await site.rota(...deploy);
  expect(code).toBe(3);
  expect(err).toContain("--tolerate lb2, if it is known to be gone");
  expect(site.told("web1")).toEqual([]);
});

test.concurrent(
  "with --tolerate the others are drained, the plan says it, and nothing is told to it",
  async () => {
    await using site = await fakeSite();
    site.balancer("lb2").always("reset");
    const plan = await site.rota("plan", "--tolerate", "lb2");
    expect(plan.code, plan.err).toBe(0);
    expect(plan.out).toContain("lb2 does not answer, and is done without");
    const { code, err } = await site.rota(...deploy, "--tolerate", "lb2");
    expect(code, err).toBe(0);
    expect(err).toContain("lb2 does not answer, and is done without");
    expect(site.balancer("lb1").lines.some((line) => line.includes("set server app/web2 state drain"))).toBe(
      true,
    );
    expect(site.balancer("lb2").lines).toEqual([]);
  },
);

test.concurrent("one that answers takes part all the same, and that is said", async () => {
  await using site = await fakeSite({ nodes: 2 });
  const { code, err } = await site.rota(...deploy, "--tolerate", "lb2");
  expect(code, err).toBe(0);
  expect(err).toContain("lb2 answers, and takes part in spite of --tolerate");
  expect(site.balancer("lb2").lines.some((line) => line.includes("set server app/web1 state drain"))).toBe(
    true,
  );
});

test.concurrent("one that answers with too few rights is not gone", async () => {
  await using site = await fakeSite();
  site.balancer("lb2").level = "operator";
  const { code, err } = await site.rota(...deploy, "--tolerate", "lb2");
  expect(code).toBe(3);
  expect(err).toContain("level admin");
});

test.concurrent("one whose host does not let us in is not gone: it may well be alive", async () => {
  await using site = await fakeSite();
  await using closed = await fakeHost({ refuseAuth: true });
  const { host, ssh } = closed.node("lb2");
  const inventory = parseDocument(await readFile(site.inventory, "utf8"));
  inventory.setIn(["balancers", "lb2"], `ssh://deploy@${host}:${ssh.port}/run/haproxy/admin.sock`);
  inventory.set("ssh", { identity: closed.identity, known_hosts: ssh.knownHosts });
  await writeFile(site.inventory, inventory.toString());
  const { code, err } = await site.rota(...deploy, "--tolerate", "lb2");
  expect(code).toBe(3);
  expect(err).toContain("deploy with the key");
  expect(err).not.toContain("--tolerate lb2, if");
  expect(site.told("web1")).toEqual([]);
});

test.concurrent(
  "one that comes back in the middle stops the run before the next node leaves; a resume has it again",
  async () => {
    await using site = await fakeSite();
    const lb2 = site.balancer("lb2");
    lb2.always("reset");
    site.atStep("web1", "ready", () => lb2.always(undefined));
    const { code, err } = await site.rota(...deploy, "--tolerate", "lb2", "--json");
    expect(code).toBe(1);
    expect(err).toContain("lb2 answers again, and knows nothing of the nodes that this run has out");
    expect(site.stateOf("web1")).toBe("ready");
    expect(restarts(site, "web2")).toBe(0);
    const resumed = await site.rota("resume", "--yes");
    expect(resumed.code, resumed.err).toBe(0);
    expect(lb2.lines.some((line) => line.includes("set server app/web2 state drain"))).toBe(true);
    expect(lb2.lines.some((line) => line.includes("set server app/web1 state drain"))).toBe(false);
    expect(restarts(site, "web2")).toBeGreaterThan(0);
  },
);

test.concurrent("a run whose balancer dies in the middle goes on without it", async () => {
  await using site = await fakeSite();
  const lb2 = site.balancer("lb2");
  site.atStep("web1", "restart", () => lb2.always("reset"));
  const { code } = await site.rota(...deploy, "--json");
  expect(code).toBe(1);
  expect(site.balancer("lb1").stateOf("app", "web1")).toBe("maint");
  const without = await site.rota("resume", "--retry", "--yes", "--tolerate", "lb2");
  expect(without.code, without.err).toBe(0);
  expect(site.balancer("lb1").stateOf("app", "web1")).toBe("ready");
  // What it had of the node before is not forgotten.
  await using journal = await site.journal();
  expect(
    [...(await journal.absences("fake")).values()].flatMap(({ found }) => found.map((at) => at.balancer)),
  ).toEqual(["lb2"]);
  lb2.always(undefined);
  const back = await site.rota("ready", "web1", "--yes");
  expect(back.code, back.err).toBe(0);
  expect(site.stateOf("web1")).toBe("ready");
});

test.concurrent("where no balancer answers at all, nothing is done", async () => {
  await using site = await fakeSite();
  for (const lb of site.balancers) lb.always("reset");
  const { code, err } = await site.rota(...deploy, "--tolerate", "lb1", "--tolerate", "lb2");
  expect(code).toBe(3);
  expect(err).toContain("no balancer of web answers");
});

test.concurrent("a name that is no balancer's is refused, with what was meant", async () => {
  await using site = await fakeSite();
  const { code, err } = await site.rota(...deploy, "--tolerate", "lb22");
  expect(code).toBe(2);
  expect(err).toContain(`--tolerate "lb22"`);
  expect(err).toContain("there are lb1, lb2");
});

test.concurrent("drain, ready and abort by hand do without it too", async () => {
  await using site = await fakeSite();
  const lb2 = site.balancer("lb2");
  lb2.always("reset");
  const drained = await site.rota("drain", "web1", "--reason", "disk", "--tolerate", "lb2", "--yes");
  expect(drained.code, drained.err).toBe(0);
  expect(site.balancer("lb1").stateOf("app", "web1")).toBe("drain");
  const ready = await site.rota("ready", "web1", "--tolerate", "lb2", "--yes");
  expect(ready.code, ready.err).toBe(0);
  lb2.always(undefined);
  site.atStep("web1", "restart", () => lb2.always("reset"));
  expect((await site.rota(...deploy, "--json")).code).toBe(1);
  const stuck = await site.rota("abort", "--yes");
  expect(stuck.code).toBe(3);
  const aborted = await site.rota("abort", "--yes", "--tolerate", "lb2");
  expect(aborted.code, aborted.err).toBe(0);
  expect(aborted.err).toContain("lb2: no answer, so nothing was told there");
});

/** What an attack on the whole found, each mended. */
import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { fakeSite, type FakeSite } from "../fakes/site.ts";

const deploy = (site: FakeSite, ...words: string[]) =>
  site.rota("deploy", "--set", "RELEASE=2", "--json", ...words);

test("a node that one balancer does not take into maint never goes from maint to ready on the other", async () => {
  await using site = await fakeSite();
  site.atStep("web1", "upgrade", () => (site.balancer("lb2").server("app", "web1").ignoresState = true));
  const { code } = await deploy(site);
  expect(code).toBe(1);
  expect(site.told("web1").filter((line) => line.endsWith("ready"))).toEqual([]);
  expect(site.balancer("lb1").stateOf("app", "web1")).toBe("maint");
  expect(site.host("web1").commands).toEqual([]);
});

test("a sticky client's request that comes between the quiet moment and maint is let end first", async () => {
  await using site = await fakeSite();
  const server = site.balancer("lb1").server("app", "web1");
  let ended = false;
  site.atStep("web1", "upgrade", () => {
    server.sessions = 1;
    setTimeout(() => {
      ended = site.host("web1").commands.length === 0; // nothing was done on the node before
      server.sessions = 0;
    }, 500);
  });
  const { code, err, events } = await deploy(site, "web1");
  expect(code, err).toBe(0);
  expect(ended).toBe(true);
  expect(events).toContainEqual(expect.objectContaining({ saw: "requests at lb1/app/web1" }));
});

test("a balancer that leaves the inventory keeps its node known as long as it is out there", async () => {
  await using site = await fakeSite({ pool: { restart: { run: "[ -e mended ]" } } });
  expect((await deploy(site, "web1")).code).toBe(1);
  await without(site, "lb2");
  await site.host("web1").write("mended");
  const { code, err, events } = await site.rota("resume", "--retry", "--json");
  expect(code, err).toBe(0);
  const text = expect.stringMatching(
    /^lb2\/app\/web1: not asked any more, and as run \w+ left it, or as it has it itself$/,
  );
  expect(events).toContainEqual(expect.objectContaining({ type: "notice", text }));
  expect(site.balancer("lb1").stateOf("app", "web1")).toBe("ready");
  await using journal = await site.journal();
  const found = [...(await journal.absences("fake")).values()].flatMap((absence) => absence.found);
  expect(found).toMatchObject([{ balancer: "lb2", server: "web1" }]);
  expect((await site.rota("status")).out).not.toContain("IN ROTATION");
});

async function without({ inventory }: FakeSite, balancer: string): Promise<void> {
  const content: { balancers: Record<string, string> } = parse(await readFile(inventory, "utf8"));
  delete content.balancers[balancer];
  await writeFile(inventory, stringify(content));
}

test("the last backup that serves is not taken out", async () => {
  await using site = await fakeSite({ pool: { rollout: { min_serving: 0 }, limits: { capacity: "300ms" } } });
  for (const lb of site.balancers) {
    Object.assign(lb.server("app", "web1"), { operational: 0, health: 0, passes: false });
    lb.server("app", "web2").backup = true;
  }
  const { code, err } = await deploy(site, "web2");
  expect(code).toBe(3);
  expect(err).toContain("lb1/app: only the backup web2 serves");
  expect(site.told("web2")).toEqual([]);
});

test("a secret is refused as a value of --set, and taken out of a reason", async () => {
  process.env["ROTA_TEST_TOKEN"] = "hunter22-hunter22";
  try {
    await using site = await fakeSite({
      pool: { vars: { TOKEN: { env: "ROTA_TEST_TOKEN", secret: true } } },
    });
    const refused = await site.rota("deploy", "--set", "RELEASE=v-hunter22-hunter22");
    expect(refused.code).toBe(2);
    expect(refused.err).toContain("the value of --set RELEASE holds a secret");
    const held = await site.rota("drain", "web1", "--reason", "because hunter22-hunter22 leaked");
    expect(held.code, held.err).toBe(0);
    const said = [
      await site.rota("status"),
      await site.rota("runs"),
      await site.rota("show", "last", "--json"),
    ];
    for (const { out } of said) {
      expect(out).not.toContain("hunter22");
      expect(out).toContain("[secret]");
    }
  } finally {
    delete process.env["ROTA_TEST_TOKEN"];
  }
});

test("a node that failed is kept out when a balancer is reloaded later in the run", async () => {
  await using site = await fakeSite({ nodes: 4, pool: { restart: { run: '[ "$ROTA_NODE" != web1 ]' } } });
  site.atStep("web2", "settle", () => site.balancer("lb1").reload());
  const { code, events } = await deploy(site, "--max-failures", "1");
  expect(code).toBe(1);
  expect(site.stateOf("web1")).toBe("maint");
  const text = "lb1/app/web1 no longer had web1 out; told again";
  expect(events).toContainEqual(expect.objectContaining({ type: "notice", text }));
});

import { expect, test } from "vitest";
import { type Answer, type FakeSite, type Said, fakeSite } from "../fakes/site.ts";

/** web2 fails in its first upgrade, and never again. */
const failsOnce = '[ "$ROTA_NODE" != web2 ] || [ -e tried ] || { touch tried; exit 3; }';

const stopping = (): Promise<FakeSite> =>
  fakeSite({ nodes: 4, pool: { upgrade: failsOnce, check: { within: "1s" } } });

const deploy = (site: FakeSite, answers: Answer[], ...words: string[]): Promise<Said> =>
  site.typing(answers, "deploy", "--set", "RELEASE=2", ...words);

async function outcomeOf(site: FakeSite): Promise<string | undefined> {
  await using journal = await site.journal();
  return (await journal.runs("fake", 9)).find(({ command }) => command === "deploy")?.outcome;
}

test.concurrent("a run that stops on a terminal says what can be done; Enter leaves it so", async () => {
  await using site = await stopping();
  const { code, asked } = await deploy(site, ["y"]);
  expect(code).toBe(1);
  expect(asked).toMatch(/ {2}r {6}try web2 again, then the rest +rota resume [0-9a-f]{6} -i \S+ --retry\n/);
  expect(asked).toMatch(
    / {2}s {6}leave web2 as it is, go on with 2 nodes +rota resume [0-9a-f]{6} -i \S+ --skip web2\n/,
  );
  expect(asked).toMatch(/ {2}b {6}put web2 back as it is, proven first +rota ready web2 -i \S+\n/);
  expect(asked).toMatch(/\[r\/s\/b\/Enter\] $/);
  expect([site.stateOf("web2"), site.stateOf("web3")]).toEqual(["maint", "ready"]);
  expect(site.host("web3").commands).toEqual([]);
  expect(await outcomeOf(site)).toBe("failed");
});

test.concurrent(
  "r tries the node again, and does the rest, without asking for the plan once more",
  async () => {
    await using site = await stopping();
    const { code, asked, err } = await deploy(site, ["y", "r"]);
    expect(code, err).toBe(0);
    expect(asked.match(/go on\?/g)).toHaveLength(1);
    expect([site.stateOf("web2"), site.stateOf("web3")]).toEqual(["ready", "ready"]);
    expect(site.host("web3").commands).toContain(failsOnce);
    expect(await outcomeOf(site)).toBe("done");
  },
);

test.concurrent("s leaves the node out and does the rest", async () => {
  await using site = await stopping();
  const { code, err } = await deploy(site, ["y", "s"]);
  expect(code, err).toBe(0);
  expect([site.stateOf("web2"), site.stateOf("web3")]).toEqual(["maint", "ready"]);
  expect(site.host("web3").commands).toContain(failsOnce);
});

test.concurrent("b puts the node back, proven, and then asks about the rest", async () => {
  await using site = await stopping();
  const { code, asked } = await deploy(site, ["y", "b"]);
  expect(site.stateOf("web2")).toBe("ready");
  expect(site.host("web3").commands).toEqual([]);
  expect(asked.match(/what now\?/g)).toHaveLength(2);
  expect(asked.slice(asked.lastIndexOf("what now?"))).not.toMatch(/put web2 back/);
  expect(code).toBe(1); // the run is where it stopped
});

test.concurrent("a node that is not well is not put back by b, and one can choose anew", async () => {
  await using site = await stopping();
  site.app("web2").answers({ status: 503 });
  const { code, asked, err } = await deploy(site, ["y", "b", "s"]);
  expect(site.stateOf("web2")).not.toBe("ready");
  expect(err).toMatch(/web2/);
  expect(asked.match(/what now\?/g)).toHaveLength(2);
  expect(code).toBe(0);
  expect(site.host("web3").commands).toContain(failsOnce);
});

test.concurrent("the last node leaves nothing to go on with: the run can be closed", async () => {
  await using site = await fakeSite({ pool: { upgrade: failsOnce } });
  const { code, asked } = await deploy(site, ["y", "s"]);
  expect(asked).toMatch(/ {2}s {6}leave web2 as it is, close the run /);
  expect(code).toBe(0);
  expect(await outcomeOf(site)).toBe("done");
});

test.concurrent("with --yes or --json nobody is asked", async () => {
  await using site = await stopping();
  const { code, asked } = await deploy(site, ["r"], "--yes");
  expect(code).toBe(1);
  expect(asked).toBe("");
});

test.concurrent("what can't be done now is told, and something else can be chosen", async () => {
  await using site = await fakeSite({ nodes: 3, pool: { upgrade: failsOnce } });
  const { code, asked, err } = await deploy(site, ["y", "s", ""]);
  expect(err).toMatch(/too few would serve/); // with web2 out none of the others may leave
  expect(asked.match(/what now\?/g)).toHaveLength(2);
  expect(code).toBe(1);
});

test.concurrent("an answer that comes after another run began does nothing, and says so", async () => {
  await using site = await stopping();
  const another = async (): Promise<string> => {
    await site.rota("deploy", "--set", "RELEASE=3", "--yes");
    return "r";
  };
  const { code, asked, err } = await deploy(site, ["y", another]);
  expect(err).toMatch(/run [0-9a-f]{6} \(deploy, by \S+\) began while you were asked/);
  expect(err).toMatch(/next: {2}rota status -i \S+; then rota resume [0-9a-f]{6} -i \S+ --retry, if that/);
  expect(asked.match(/what now\?/g)).toHaveLength(1);
  expect(code).toBe(1);
  await using journal = await site.journal();
  expect(await journal.lastSet("fake", "web2")).toEqual({ RELEASE: "3" });
});

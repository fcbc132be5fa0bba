import { expect, test } from "vitest";
import { lookAt } from "../../src/cli/status.ts";
import { openSite } from "../../src/cli/site.ts";
import { tellAgain } from "../../src/cli/tell-again.ts";
import { thisProcess } from "../../src/journal/process.ts";
import { type FakeSite, fakeSite } from "../fakes/site.ts";

/** One look of a console at the site. */
async function lookOnce(site: FakeSite): Promise<string[]> {
  const said: string[] = [];
  const io = {
    out: () => undefined,
    err: (text: string) => void said.push(text),
    outGone: () => false,
    env: site.env,
    cwd: "/",
    terminal: undefined,
    colourOut: false,
    width: 80,
    keyboard: undefined,
    questions: process.stderr,
  };
  await using open = openSite({ inventory: site.inventory, nodes: [] }, io);
  await using journal = await site.journal();
  const { seen } = await lookAt(open, journal, "");
  await tellAgain(open, journal, io)(seen);
  return said;
}

test("a balancer that was reloaded is told again about a held node, and only that balancer, and it is written down", async () => {
  await using site = await fakeSite();
  expect((await site.rota("drain", "web1", "--reason", "disk")).code).toBe(0);
  expect(await lookOnce(site)).toEqual([]); // nothing is wrong
  const before = site.balancer("lb2").lines.length;
  site.balancer("lb1").reload();
  expect(await lookOnce(site)).toEqual(["told again that web1 at lb1/app is out"]);
  expect(site.stateOf("web1")).toBe("drain");
  expect(site.balancer("lb2").lines.slice(before).join("\n")).not.toContain("set server");
  expect((await site.rota("runs")).out).toContain("tell again");
  expect(await lookOnce(site)).toEqual([]);
});

test("what a run left out comes back as maint: it may be ill", async () => {
  await using site = await fakeSite({
    pool: { check: { url: "http://{host}:{PORT}/_status", within: "200ms" } },
  });
  site.app("web1").answers({ status: 500 });
  expect((await site.rota("deploy", "web1", "--set", "RELEASE=2", "--yes")).code).toBe(1);
  expect(site.stateOf("web1")).toBe("maint");
  site.balancer("lb1").reload();
  await lookOnce(site);
  expect(site.stateOf("web1")).toBe("maint");
});

test("while somebody else has the lease it is theirs to notice; and who came back on purpose is left alone", async () => {
  await using site = await fakeSite();
  await site.rota("drain", "web1", "--reason", "disk");
  site.balancer("lb1").reload();
  {
    await using journal = await site.journal();
    const claim = { fleet: "fake", by: "bob", command: "deploy", reason: undefined, ...thisProcess() };
    const taken = await journal.take(claim);
    if (!("epoch" in taken)) throw new Error("held");
    expect(await lookOnce(site)).toEqual([]);
    expect(site.stateOf("web1")).toBe("ready and drain");
    await journal.release("fake", taken.epoch);
  }
  await site.rota("ready", "web1", "--set", "RELEASE=1");
  expect(site.stateOf("web1")).toBe("ready");
  site.balancer("lb1").reload();
  expect(await lookOnce(site)).toEqual([]);
});

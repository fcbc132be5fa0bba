import { expect, test } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import { reportCase } from "./cases.ts";
import { startLab, type Lab } from "./lab.ts";
import { startLoad, type Load } from "./load.ts";
import { runRota, startRota } from "./rota.ts";
import { waitFor } from "./wait.ts";

const isFull = process.env["CHAOS"] === "full";

const loadOn = (lab: Lab): Promise<Load> => startLoad({ urls: lab.balancers.map(({ url }) => url) });

test("a node that is drained, rotated and put back by hand loses no request, and status tells it", async ({
  task,
}) => {
  await using lab = await startLab({ bootSeconds: 0.2 });
  const inventory = await lab.inventory();
  await using load = await loadOn(lab);
  const rota = async (...words: string[]): Promise<string> => {
    const [command = "", ...rest] = words;
    const { code, stdout, stderr } = await runRota(lab, [command, "-i", inventory, ...rest]);
    expect(code, stderr).toBe(0);
    return stdout;
  };

  await rota("drain", "web2", "--reason", "disk swap", "--for", "30m");
  expect(await statesOf(lab, "web2")).toEqual(["DRAIN", "DRAIN"]);
  const held = await rota("status");
  expect(held).toMatch(/^lab: lb1\/app 3 of 4 serving, lb2\/app 3 of 4 serving\n/);
  expect(held).toMatch(
    /\n◌ web2 +DRAIN +\d+ +\d+ +\d+ +DRAIN +\d+ +\d+ +\d+ +held by \S+ for \S+, until .*: disk swap\n/,
  );

  const before = await lab.node("web2").pid();
  await rota("ready", "web2", "--set", "RELEASE=1");
  expect(await statesOf(lab, "web2")).toEqual(["UP", "UP"]);
  expect(await lab.node("web2").pid()).toBe(before); // it was not restarted
  expect(await rota("status")).not.toContain("held");

  await rota("rotate", "web2", "--set", "RELEASE=1");
  expect(await lab.node("web2").pid()).not.toBe(before);
  expect(await lab.node("web2").release()).toBe("1");
  expect(await statesOf(lab, "web2")).toEqual(["UP", "UP"]);
  const report = await load.stop();
  reportCase(task, "a node is drained, put back and rotated by hand", report);
  expect(report).toMatchObject({ lost: 0, examples: [] });
});

test.runIf(isFull)(
  "a node that somebody else took out at the socket is left exactly as found, and the report says so",
  async ({ task }) => {
    reportCase(task, "a node that somebody else put into maint, or gave weight 0, is left as found");
    await using lab = await startLab({ bootSeconds: 0.3, workers: 1 });
    const inventory = await lab.inventory();
    await lab.balancer("lb1").ask("set server app/web2 state maint");
    await lab.balancer("lb2").ask("set server app/web2 weight 0");
    const { code, stdout } = await runRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=2"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /web2 left alone: taken out by somebody else: lb1\/app MAINT, lb2\/app UP weight 0/,
    );
    expect(await lab.balancer("lb1").ask("show servers state app")).toMatch(/ web2 \S+ 0 1 /);
    expect(await lab.balancer("lb2").ask("get weight app/web2")).toContain("0 (initial 1)");
    expect(await lab.node("web2").release()).toBe("1");
    expect(await lab.node("web1").release()).toBe("2");
    expect(await lab.node("web3").release()).toBe("2");
  },
);

test("a fleet that is down because of a bad release is deployed, and serves again", async ({ task }) => {
  reportCase(task, "all nodes are DOWN because of a bad release, and a good one is deployed");
  await using lab = await startLab({ bootSeconds: 0.3, nodes: 2, workers: 1 });
  const inventory = await lab.inventory();
  await Promise.all(
    lab.nodes.map(async (node) => {
      await node.switchRelease("sick");
      await node.appctl("restart");
    }),
  );
  for (const { name } of lab.nodes)
    await waitFor(`${name} to be down`, 10_000, async () => {
      const states = await statesOf(lab, name);
      return states.every((state) => state.startsWith("DOWN")) ? yes(undefined) : notYet(states.join(", "));
    });
  const words = ["deploy", "-i", inventory, "--set", "RELEASE=2"];
  const alone = await runRota(lab, words);
  expect(alone.code).toBe(0);
  expect(alone.stdout).toContain("nothing to do");
  expect(alone.stderr).toMatch(/web1 {2}lb1\/app DOWN .*--include-down, to take it along/);
  const { code, stderr } = await runRota(lab, [...words, "--include-down"]);
  expect(code, stderr).toBe(0);
  expect(await statesOf(lab, "web1")).toEqual(["UP", "UP"]);
  expect(await statesOf(lab, "web2")).toEqual(["UP", "UP"]);
});

test.runIf(isFull)(
  "a release that does not start: its node stays out, the others serve, and a good release brings it back",
  async ({ task }) => {
    await using lab = await startLab({ bootSeconds: 0.1 });
    const inventory = await lab.inventory({ check: { within: "3s" } });
    await using load = await loadOn(lab);
    const { code, stderr } = await runRota(lab, [
      "deploy",
      "-i",
      inventory,
      "--set",
      "RELEASE=broken-import",
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain("web1: waited 3s for web1 to pass its check");
    expect(stderr).toContain("left:  web1 is out of rotation; web2, web3, web4 were not touched");
    expect(stderr).toMatch(
      /next: {2}rota resume \w+ -i \S+ --retry, once web1 can be well; or rota resume .* --skip web1/,
    );
    expect(await statesOf(lab, "web1")).toEqual(["MAINT", "MAINT"]);
    const again = await runRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=2"]);
    expect(again.code, again.stderr).toBe(0);
    expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["2", "2", "2", "2"]);
    const report = await load.stop();
    reportCase(task, "a release that does not start, then a good one", report);
    expect(report).toMatchObject({ lost: 0, examples: [] });
  },
);

test.runIf(isFull)(
  "a signal lets the node in hand finish and starts no other; the same command does the rest",
  async ({ task }) => {
    await using lab = await startLab({ bootSeconds: 0.1 });
    const inventory = await lab.inventory();
    await using load = await loadOn(lab);
    const words = ["deploy", "-i", inventory, "--set", "RELEASE=2"];
    const rota = startRota(lab, words);
    await waitFor("web1 to be out", 20_000, async () =>
      rota.stderr().includes("web1 settle") ? yes(undefined) : notYet(rota.stderr()),
    );
    rota.child.kill("SIGHUP"); // a terminal was closed
    const { code, stderr } = await rota.ended;
    expect(code).toBe(4);
    expect(stderr).toContain("left:  web1 is back in rotation; web2, web3, web4 were not touched");
    expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["2", "1", "1", "1"]);
    await lab.untilAllInRotation();
    expect((await runRota(lab, words)).code).toBe(0);
    const report = await load.stop();
    reportCase(task, "a deploy is stopped by a signal, then done by the same command", report);
    expect(report).toMatchObject({ lost: 0, examples: [] });
  },
);

test("what is wrong is found before the first node is touched, and listed at once", async () => {
  await using lab = await startLab({ bootSeconds: 0, nodes: 3, workers: 1 });
  const [web1, web2] = [lab.node("web1"), lab.node("web2")];
  await web1.sshd?.stop();
  const inventory = await lab.inventory(
    { nodes: { ghost: { host: web2.host, ssh: { port: web2.sshPort } } } },
    {
      balancers: { gone: `unix:${lab.folder}/gone.sock`, weak: `unix:${lab.balancer("lb1").operatorSocket}` },
    },
  );
  const { code, stderr } = await runRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=2"]);
  expect(code).toBe(3);
  expect(stderr).toContain(`gone: there is no socket at ${lab.folder}/gone.sock`);
  expect(stderr).toMatch(/weak: its socket gives the level operator, .* level admin/);
  expect(stderr).toContain("lb1: no backend has a server ghost (node ghost)");
  expect(stderr).toContain("lb2: no backend has a server ghost (node ghost)");
  expect(stderr).toMatch(/web1 \(\S+\) can't be reached over SSH: connection refused/);
  expect(stderr).toContain("left:  nothing was touched");
  expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["1", "1", "1"]);
});

/** HAProxy's words for a node, a balancer each. */
const statesOf = (lab: Lab, node: string): Promise<string[]> =>
  Promise.all(
    lab.balancers.map(async (balancer) => {
      const [header = "", ...rows] = (await balancer.ask("show stat app 4 -1")).split("\n");
      const row = rows.find((line) => line.split(",")[1] === node);
      return row?.split(",")[header.split(",").indexOf("status")] ?? "";
    }),
  );

/** The way back into rotation on the real HAProxy, under load: nobody is lost, and nothing unproven gets a request. */
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import { startAgent } from "./agent.ts";
import type { LabBalancer } from "./balancer.ts";
import { reportCase } from "./cases.ts";
import { haproxyIsAtLeast } from "./haproxy-binary.ts";
import { type Lab, startLab } from "./lab.ts";
import { type Load, startLoad } from "./load.ts";
import { type Rota, runRota, startRota } from "./rota.ts";
import { waitFor } from "./wait.ts";

const loadOn = (lab: Lab): Promise<Load> => startLoad({ urls: lab.balancers.map(({ url }) => url) });

interface Seen {
  admin: number;
  weight: number;
  agent: number;
  status: string;
  total: number;
}

/** One server, on one balancer. */
async function seenAt(balancer: LabBalancer, name: string, backend = "app"): Promise<Seen> {
  const rowOf = (text: string, by: string, words: string): ((column: string) => string) => {
    const lines = text.split("\n");
    const columns = (lines.find((line) => line.startsWith("# ")) ?? "").slice(2).split(by);
    const row = lines.find((line) => line.includes(words))?.split(by) ?? [];
    return (column) => row[columns.indexOf(column)] ?? "";
  };
  const state = rowOf(await balancer.ask(`show servers state ${backend}`), " ", ` ${name} `);
  const stat = rowOf(await balancer.ask("show stat -1 4 -1"), ",", `${backend},${name},`);
  return {
    admin: Number(state("srv_admin_state")),
    weight: Number(state("srv_uweight")),
    agent: Number(state("srv_agent_state")) & 4,
    status: stat("status"),
    total: Number(stat("stot")),
  };
}

const onAll = (lab: Lab, name: string, backend?: string): Promise<Seen[]> =>
  Promise.all(lab.balancers.map((balancer) => seenAt(balancer, name, backend)));

const untilSaid = (rota: Rota, text: string): Promise<void> =>
  waitFor(`rota to say ${text}`, 120_000, async () =>
    rota.stdout().includes(text) ? yes(undefined) : notYet(`${rota.stdout().slice(-300)}${rota.stderr()}`),
  );

const untilStatus = (lab: Lab, name: string, status: string): Promise<void> =>
  waitFor(`${name} to be ${status}`, 60_000, async () => {
    const seen = (await onAll(lab, name)).map((one) => one.status);
    return seen.every((one) => one.startsWith(status)) ? yes(undefined) : notYet(seen.join(", "));
  });

const logOf = async (lab: Lab): Promise<string> =>
  (
    await Promise.all(
      lab.balancers.map(({ name }) => readFile(join(lab.folder, name, "haproxy.log"), "utf8")),
    )
  ).join("\n");

/** How often HAProxy itself says that the server left drain or maintenance. */
const returnsOf = async (lab: Lab, name: string): Promise<number[]> =>
  Promise.all(
    lab.balancers.map(async (balancer) => {
      const log = await readFile(join(lab.folder, balancer.name, "haproxy.log"), "utf8");
      return log
        .split("\n")
        .filter((line) => line.includes(`app/${name} `) && line.includes("leaving forced drain")).length;
    }),
  );

const isFull = process.env["CHAOS"] === "full";

// On fake balancers in test/rotation/ramp.test.ts.
test.runIf(isFull).for(["up ready 100%", "up ready", "ready"])(
  "an agent that answers '%s' undoes nothing: no request reaches a node that is out",
  async (word, { task }) => {
    await using agent = await startAgent();
    await using lab = await startLab({
      nodes: 4,
      workers: 2,
      bootSeconds: 0.5,
      checkInterMs: 300,
      serverOptions: `weight 100 ${agent.options}`,
    });
    agent.words.set("web1", word).set("web2", "up 75%").set("web3", "down");
    await untilStatus(lab, "web3", "DOWN (agent)");
    await waitFor("the agent's weight", 10_000, async () =>
      (await onAll(lab, "web2")).every(({ weight }) => weight === 75) ? yes(undefined) : notYet("not yet"),
    );
    const before = await Promise.all(["web1", "web2", "web3"].map((name) => onAll(lab, name)));
    const inventory = await lab.inventory({
      rollout: { min_serving: 1 },
      ready: { ramp: ["50%"], every: "500ms" },
    });
    await using load = await loadOn(lab);
    const rota = startRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=2", "--json"]);
    const totals: number[][] = [];
    for (const step of ["restart", "ready"]) {
      await untilSaid(rota, `"type":"step started","node":"web1","step":"${step}"`);
      totals.push((await onAll(lab, "web1")).map(({ total }) => total));
    }
    const { code, stderr, events } = await rota.ended;
    const report = await load.stop();
    const log = await logOf(lab);
    reportCase(task, `a deploy while an agent answers "${word}"`, report);
    expect(code, stderr).toBe(0);
    expect(report, log).toMatchObject({ lost: 0, examples: [] });
    expect(totals[1]).toEqual(totals[0]);
    // Each time to go on with the next, and once to come back.
    expect(await returnsOf(lab, "web1")).toEqual([1, 1]);
    expect(JSON.stringify(events.filter(({ type }) => type === "run started"))).toContain("DOWN (agent)");
    const after = await Promise.all(["web1", "web2", "web3"].map((name) => onAll(lab, name)));
    const states = (all: Seen[][]) => all.map((seen) => seen.map((one) => ({ ...one, total: 0 })));
    expect(states(after)).toEqual(states(before));
    expect(await lab.node("web3").release()).toBe("1");
  },
);

test("a ramp under load: steps of the weight that was found, a slowstart, a reload in the middle, and a node that fails in it", async ({
  task,
}) => {
  await using lab = await startLab({
    nodes: 3,
    workers: 2,
    bootSeconds: 0.2,
    checkInterMs: 300,
    serverOptions: "weight 100 slowstart 2s",
  });
  const [lb1, lb2] = [lab.balancer("lb1"), lab.balancer("lb2")];
  await lb1.ask("set server app/web1 weight 61");
  const inventory = await lab.inventory({ ready: { ramp: ["25%", "50%"], every: "2s" } });
  await using load = await loadOn(lab);
  const deploy = (node: string): Rota =>
    startRota(lab, ["deploy", node, "-i", inventory, "--set", "RELEASE=2", "--json"]);
  const first = deploy("web1");
  await untilSaid(first, "25% of its weight");
  expect((await onAll(lab, "web1")).map(({ weight }) => weight)).toEqual([15, 25]);
  await untilSaid(first, "50% of its weight");
  expect((await onAll(lab, "web1")).map(({ weight }) => weight)).toEqual([30, 50]);
  const { code, stderr } = await first.ended;
  expect(code, stderr).toBe(0);
  expect(await onAll(lab, "web1")).toMatchObject([
    { weight: 61, admin: 0 },
    { weight: 100, admin: 0 },
  ]);

  const second = deploy("web2");
  await untilSaid(second, "25% of its weight");
  await lb2.reload();
  await untilSaid(second, "has weight 100, which is not rota's");
  await lab.node("web2").setStatus(500);
  const failed = await second.ended;
  const report = await load.stop();
  reportCase(task, "a ramp, with a reload and a node that fails in it", report);
  // A reload itself may reset idle clients that keep their connection.
  expect(report.examples.filter(({ what }) => what !== "ECONNRESET on a kept connection")).toEqual([]);
  expect(report.lost).toBe(report.examples.length);
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain("web2 came back in steps, and failed");
  expect(await onAll(lab, "web2")).toMatchObject([
    { weight: 100, admin: 1 },
    { weight: 100, admin: 1 },
  ]);
});

test("fall 1, a tracking server, one without checks, a node that was down: back with a proof, or never a request", async ({
  task,
}) => {
  const fullyDown = haproxyIsAtLeast(3, 2);
  await using lab = await startLab({
    nodes: 3,
    workers: 2,
    bootSeconds: 0.2,
    checkInterMs: 300,
    fall: 1,
    serverOptions: fullyDown ? "init-state fully-down" : "",
  });
  const address = ({ host, appPort }: { host: string; appPort: number }): string => `${host}:${appPort}`;
  for (const balancer of lab.balancers) {
    const section = (name: string, more: (server: string) => string): string =>
      [
        `\nbackend ${name}`,
        ...lab.nodes.map((node) => `  server ${node.name} ${address(node)}${more(node.name)}`),
        "",
      ].join("\n");
    await appendFile(
      balancer.configFile,
      section("plain", () => ""),
    );
    await appendFile(
      balancer.configFile,
      section("follows", (server) => ` track app/${server}`),
    );
    await balancer.reload();
  }
  await lab.untilAllInRotation();
  const backends = ["app", "plain", "follows"];
  const seen = (name: string): Promise<Seen[]> =>
    Promise.all(backends.map((backend) => onAll(lab, name, backend))).then((all) => all.flat());
  const inventory = await lab.inventory({
    upgrade: 'cd "$NODE_HOME" && rm -f status-code && ./switch-release "$RELEASE"',
    // The app answers there whatever its status is: only HAProxy's own check finds it ill.
    check: { url: `http://{host}:${lab.nodes[0]?.appPort}/`, body: "release {RELEASE}" },
    limits: { ready: "4s" },
  });
  await lab.node("web2").setStatus(500);
  await untilStatus(lab, "web2", "DOWN");
  await using load = await startLoad({
    urls: lab.balancers.map(({ url }) => url),
  });
  const deploy = (name: string, release: string): Rota =>
    startRota(lab, ["deploy", name, "-i", inventory, "--set", `RELEASE=${release}`, "--json"]);
  const good = await deploy("web2", "2").ended;
  expect(good.code, good.stderr).toBe(0);
  const again = await deploy("web1", "2").ended;
  expect(again.code, again.stderr).toBe(0);
  expect(again.stdout).toContain("lb1/plain/web1, lb2/plain/web1: HAProxy runs no check there");
  for (const name of ["web1", "web2"])
    expect((await seen(name)).map(({ admin }) => admin & 0x3b)).toEqual(backends.flatMap(() => [0, 0]));
  await untilStatus(lab, "web1", "UP");

  const sick = deploy("web3", "sick");
  await untilSaid(sick, '"type":"step started","node":"web3","step":"restart"');
  const before = (await seen("web3")).map(({ total }) => total);
  const { code, stderr } = await sick.ended;
  const after = await seen("web3");
  const report = await load.stop();
  const name = "fall 1, a tracker, a server without checks, a node that was down, a release that stays ill";
  reportCase(task, fullyDown ? `${name}, init-state fully-down` : name, report);
  expect(report).toMatchObject({ lost: 0, examples: [] });
  expect(code).toBe(1);
  expect(stderr).toContain("a fresh passing check of web3 on every balancer");
  expect(after.map(({ total }) => total)).toEqual(before);
  expect((await runRota(lab, ["status", "-i", inventory])).stdout).toMatch(/web3 +MAINT/);
});

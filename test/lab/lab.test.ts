import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import type { LabBalancer } from "./balancer.ts";
import { reportCase } from "./cases.ts";
import { haproxyIsAtLeast, haproxyVersion } from "./haproxy-binary.ts";
import { startLab, type Lab } from "./lab.ts";
import { startLoad, type Load } from "./load.ts";
import type { LabNode } from "./node.ts";
import { runs } from "./family.ts";
import { waitFor } from "./wait.ts";

const isFull = process.env["CHAOS"] === "full";

const loadOn = (lab: Lab): Promise<Load> =>
  startLoad({ urls: lab.balancers.map(({ url }) => url), perSecond: 200 });

test.runIf(isFull)("a load that nothing disturbs loses no request", async () => {
  await using lab = await startLab();
  await using load = await loadOn(lab);
  await wait(10_000);
  const report = await load.stop();
  expect(report).toMatchObject({ lost: 0, lostBy: {}, examples: [] });
  expect(report.ok).toBe(report.sent);
  expect(report.perSecond).toBeGreaterThan(150);
});

test("the lab's HAProxies are the one that was asked for", async () => {
  await using lab = await startLab({ nodes: 1, bootSeconds: 0, workers: 1 });
  for (const balancer of lab.balancers)
    expect(await balancer.ask("show info")).toContain(`\nVersion: ${haproxyVersion()}\n`);
  expect([haproxyIsAtLeast(2, 6), haproxyIsAtLeast(99, 0)]).toEqual([true, false]);
});

test("a case that is reported again adds up, so that the loss of a first attempt is not forgotten", ({
  task,
}) => {
  reportCase(task, "none", { sent: 10, lost: 1 });
  reportCase(task, "none", { sent: 5, lost: 0, saw: "x" });
  expect(task.meta.cases).toEqual([{ name: "none", haproxy: haproxyVersion(), sent: 15, lost: 1, saw: "x" }]);
});

test.runIf(isFull)("a node that is drained by hand, restarted and put back loses no request", async () => {
  await using lab = await startLab();
  await using load = await loadOn(lab);
  const node = lab.node("web2");
  await setState(lab, node, "drain");
  for (const balancer of lab.balancers) await untilQuiet(balancer, node);
  const before = await node.pid();
  await node.switchRelease("2");
  await node.appctl("restart");
  await node.untilServes("2");
  await setState(lab, node, "ready");
  await lab.untilAllInRotation();
  await wait(1_000);
  expect(await node.pid()).not.toBe(before);
  expect(await load.stop()).toMatchObject({ lost: 0, examples: [] });
});

test.runIf(isFull)(
  "restarting all nodes at once loses requests, and all of them come back with the release",
  async () => {
    await using lab = await startLab({ bootSeconds: 3 });
    await using load = await loadOn(lab);
    await lab.restartAllAtOnce("2");
    const report = await load.stop();
    expect(report.lost).toBeGreaterThan(0);
    expect(report.ok + report.lost).toBe(report.sent);
    expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["2", "2", "2", "2"]);
  },
);

test("a command that comes over SSH finds its node, and no host is unknown", async () => {
  await using lab = await startLab({ balancers: 0, nodes: 2, bootSeconds: 0 });
  for (const node of lab.nodes) {
    const { stdout } = await overSsh(
      lab,
      node,
      'cd "$NODE_HOME" && ./switch-release 2 && ./appctl restart && pwd',
    );
    expect(stdout.trim()).toBe(node.folder);
    await node.untilServes("2");
  }
});

test("a node can be ill in every way that a deploy must notice", async () => {
  await using lab = await startLab({ balancers: 0, nodes: 1, bootSeconds: 0 });
  const node = lab.node("web1");
  const statusCode = async (): Promise<number> => (await fetch(node.statusUrl)).status;
  await node.setStatus(503);
  expect(await statusCode()).toBe(503);
  await node.setStatus("hang");
  expect(await node.release()).toBe(undefined);
  await node.setStatus(undefined);
  expect(await statusCode()).toBe(200);
  await node.switchRelease("sick");
  await node.appctl("restart");
  await waitFor("the sick release", 5_000, async () =>
    (await node.release()) === "sick" ? yes(undefined) : notYet("not there"),
  );
  expect(await statusCode()).toBe(500);
  await node.switchRelease("broken-import");
  await node.appctl("restart"); // the master is there, and ends when its workers do not start
  await waitFor("the master to end", 5_000, async () =>
    (await node.pid()) === undefined ? yes(undefined) : notYet("it runs"),
  );
});

test("a reload forgets a drain and keeps the master; a balancer that was killed starts again", async () => {
  await using lab = await startLab({ nodes: 1, bootSeconds: 0 });
  const balancer = lab.balancer("lb1");
  const { pid } = balancer;
  await balancer.ask("set server app/web1 state drain");
  expect(await balancer.ask("show stat app 4 -1")).toContain(",DRAIN,");
  await balancer.reload();
  await lab.untilAllInRotation();
  expect(balancer.pid).toBe(pid);
  await balancer.kill();
  // What was its own is closed a moment after it is gone.
  const refusal = (): Promise<string> => balancer.ask("show info").catch(String);
  await expect.poll(refusal, { timeout: 10_000 }).toContain("ECONNREFUSED");
  await balancer.start();
  expect((await fetch(balancer.url)).status).toBe(200);
});

test("a lab that was stopped leaves no process and no file", async () => {
  const lab = await startLab({ nodes: 2, bootSeconds: 0 });
  const [web1, web2] = [lab.node("web1"), lab.node("web2")];
  lab.balancer("lb1").freeze();
  await web1.setStatus("hang");
  void web1.release();
  overSsh(lab, web1, "trap '' TERM; sleep 100").catch(() => {}); // ends with the lab
  await web2.appctl("restart"); // a master that the lab did not start itself
  await waitFor("the session", 5_000, async () =>
    lab.pids().some(sleeps) ? yes(undefined) : notYet("none"),
  );
  const pids = lab.pids();
  expect(pids).toContain(await web2.pid());
  await lab.stop();
  await lab.stop(); // once more does no harm
  expect(pids.filter(runs)).toEqual([]);
  expect(lab.pids()).toEqual([]);
  expect(existsSync(lab.folder)).toBe(false);
});

const sleeps = (pid: number): boolean => readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("sleep");

function overSsh(lab: Lab, node: LabNode, command: string): Promise<{ stdout: string }> {
  const options = [
    `IdentityFile=${lab.identity}`,
    "IdentitiesOnly=yes",
    `UserKnownHostsFile=${lab.knownHosts}`,
    "StrictHostKeyChecking=yes",
    "BatchMode=yes",
  ];
  const words = options.flatMap((option) => ["-o", option]);
  return promisify(execFile)("ssh", ["-F", "none", ...words, "-p", `${node.sshPort}`, node.host, command]);
}

async function setState(lab: Lab, node: LabNode, state: "drain" | "ready"): Promise<void> {
  for (const balancer of lab.balancers) {
    expect(await balancer.ask(`set server app/${node.name} state ${state}`)).toBe("\n");
  }
}

/** No session, no queue and no new request for 300 ms. */
async function untilQuiet(balancer: LabBalancer, node: LabNode): Promise<void> {
  let [last, since] = ["", 0];
  await waitFor(`${node.name} to be quiet on ${balancer.name}`, 20_000, async () => {
    const row = (await balancer.ask("show stat app 4 -1"))
      .split("\n")
      .find((line) => line.includes(node.name));
    const [, , queued, , sessions, , , total] = (row ?? "").split(",");
    const now = `${sessions} sessions, ${queued} queued, ${total} in total`;
    if (now !== last || sessions !== "0" || queued !== "0") [last, since] = [now, performance.now()];
    return performance.now() - since >= 300 ? yes(undefined) : notYet(now);
  });
}

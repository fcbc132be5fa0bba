import { existsSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import type { LabBalancer } from "./balancer.ts";
import { startLab, type Lab } from "./lab.ts";
import { startLoad, type Load } from "./load.ts";
import type { LabNode } from "./node.ts";
import { runs } from "./processes.ts";
import { waitFor } from "./wait.ts";

const loadOn = (lab: Lab): Promise<Load> => startLoad({ urls: lab.balancers.map(({ url }) => url) });

test("a load that nothing disturbs loses no request", async () => {
  await using lab = await startLab();
  await using load = await loadOn(lab);
  await wait(10_000);
  const report = await load.stop();
  expect(report).toMatchObject({ lost: 0, lostBy: {}, examples: [] });
  expect(report.ok).toBe(report.sent);
  expect(report.perSecond).toBeGreaterThan(150);
});

test("a node that is drained by hand, restarted and put back loses no request", async () => {
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

test("restarting all nodes at once loses requests, and all of them come back with the release", async () => {
  await using lab = await startLab({ bootSeconds: 3 });
  await using load = await loadOn(lab);
  await lab.restartAllAtOnce("2");
  const report = await load.stop();
  expect(report.lost).toBeGreaterThan(0);
  expect(report.ok + report.lost).toBe(report.sent);
  expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["2", "2", "2", "2"]);
});

test("a balancer that reloads has another worker and the same master; a killed one starts again", async () => {
  await using lab = await startLab({ nodes: 1, bootSeconds: 0 });
  const balancer = lab.balancer("lb1");
  const { pid } = balancer;
  await setState(lab, lab.node("web1"), "drain");
  await balancer.reload();
  expect(balancer.pid).toBe(pid);
  expect(await balancer.ask("get weight app/web1")).toContain("1 (initial 1)");
  await lab.untilAllInRotation().catch(() => {}); // lb2 still drains
  balancer.kill();
  await expect(balancer.ask("show info")).rejects.toThrow();
  await balancer.start();
  expect((await fetch(balancer.url)).status).toBe(200);
});

test("a lab that was stopped leaves no process and no file", async () => {
  const lab = await startLab({ nodes: 2, bootSeconds: 0 });
  lab.balancer("lb1").freeze();
  await lab.node("web1").setStatus("hang");
  await lab.node("web2").appctl("restart"); // a master that is not the one the lab started
  const pids = lab.pids();
  expect(pids.length).toBeGreaterThanOrEqual(2 * 2 + 2 * (1 + 1 + 4));
  await lab.stop();
  expect(pids.filter(runs)).toEqual([]);
  expect(lab.pids()).toEqual([]);
  expect(existsSync(lab.folder)).toBe(false);
});

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

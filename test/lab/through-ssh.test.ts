import { expect, test } from "vitest";
import { openRuntime, showInfo } from "../../src/balancer/haproxy.ts";
import type { SocketAddress } from "../../src/inventory/fleet.ts";
import { userInfo } from "node:os";
import { reportCase } from "./cases.ts";
import { startLab, type Lab } from "./lab.ts";
import { startLoad } from "./load.ts";
import { runRota } from "./rota.ts";

test("a deploy through SSH and a jump host loses no request, over one connection a balancer", async ({
  task,
}) => {
  await using lab = await startLab({ bootSeconds: 0.1, nodes: 3, through: "jump" });
  const inventory = await lab.inventory();
  await using load = await startLoad({ urls: lab.balancers.map(({ url }) => url) });
  const { code, stderr, events } = await runRota(lab, [
    "deploy",
    "-i",
    inventory,
    "--set",
    "RELEASE=2",
    "--yes",
    "--json",
  ]);
  expect(code, stderr).toBe(0);
  expect(events.at(-1)).toMatchObject({ type: "run ended", end: "done" });
  expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["2", "2", "2"]);
  await lab.untilAllInRotation();
  const report = await load.stop();
  reportCase(task, "a deploy that reaches balancers and nodes through SSH and a jump host", report);
  expect(report).toMatchObject({ lost: 0, lostBy: {}, examples: [] });
  expect(await Promise.all(lab.gates.map((gate) => gate.logins()))).toEqual([1, 1]);
  expect(await lab.jump?.logins()).toBe(2); // one for the balancers, one for the nodes
});

test("a question through SSH takes a few milliseconds more", async () => {
  await using lab = await startLab({ balancers: 1, nodes: 1, bootSeconds: 0, through: "ssh" });
  const { adminSocket: path } = lab.balancer("lb1");
  const direct = await timesOf({ kind: "unix", path });
  const through = await timesOf(throughSsh(lab, path));
  process.stdout.write(`a question: direct ${said(direct)}, through SSH ${said(through)}\n`);
  expect(at(through, 0.5) - at(direct, 0.5)).toBeLessThan(20);
});

function throughSsh({ gates, identity, knownHosts }: Lab, path: string): SocketAddress {
  const { host = "", port = 0 } = gates[0] ?? {};
  return { kind: "ssh", host, path, ssh: { user: userInfo().username, port, identity, knownHosts } };
}

/** Milliseconds of each question, in ascending order. */
async function timesOf(address: SocketAddress): Promise<number[]> {
  await using runtime = openRuntime(address);
  await runtime.ask(showInfo());
  const times: number[] = [];
  for (let i = 0; i < 500; i += 1) {
    const began = performance.now();
    await runtime.ask(showInfo());
    times.push(performance.now() - began);
  }
  return times.toSorted((a, b) => a - b);
}

const at = (times: number[], share: number): number => times[Math.floor(share * times.length)] ?? NaN;
const said = (times: number[]): string =>
  `p50 ${at(times, 0.5).toFixed(2)} ms, p99 ${at(times, 0.99).toFixed(2)} ms`;

import { writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openRuntime, showInfo } from "../../src/balancer/haproxy.ts";
import type { SocketAddress } from "../../src/inventory/fleet.ts";
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

test("what the inventory leaves out is as ssh's own configuration has it, its ProxyJump too", async () => {
  await using lab = await startLab({ balancers: 1, nodes: 1, bootSeconds: 0, through: "jump" });
  const config = await sshConfigOf(lab);
  const { adminSocket } = lab.balancer("lb1");
  const [node] = lab.nodes;
  const inventory = await lab.inventory(
    {
      nodes: { web1: { host: "the-node", ssh: undefined } },
      check: { url: `http://${node?.host}:${node?.appPort}/_status` },
      rollout: { min_serving: 0 },
    },
    { ssh: undefined, balancers: { lb1: `ssh://the-balancer${adminSocket}` } },
  );
  const words = ["deploy", "-i", inventory, "--set", "RELEASE=2", "--dry-run"];
  const { code, stdout, stderr } = await runRota(lab, words, { ROTA_SSH_CONFIG: config });
  expect(code, stderr).toBe(0);
  expect(stdout).toContain("every host answers");
  expect(await lab.jump?.logins()).toBe(2);
  expect(await runRota(lab, words, { ROTA_SSH_CONFIG: "none" })).toMatchObject({ code: 3 });
});

/** The hosts under names of its own, in a file that it includes. */
async function sshConfigOf({ folder, nodes, gates, jump, identity, knownHosts }: Lab): Promise<string> {
  const host = (name: string, address = "", port = 0, more = ""): string =>
    `Host ${name}\n  HostName ${address}\n  Port ${port}\n${more}`;
  const hosts = join(folder, "ssh_hosts");
  await writeFile(
    hosts,
    [
      host("the-jump", jump?.host, jump?.port),
      host("the-node", nodes[0]?.host, nodes[0]?.sshPort, "  ProxyJump the-jump\n"),
      host("the-balancer", gates[0]?.host, gates[0]?.port, "  ProxyJump the-jump\n"),
      `Match user ${userInfo().username} host *\n  IdentityFile ${identity}\n  UserKnownHostsFile ${knownHosts}\n`,
    ].join(""),
  );
  const config = join(folder, "ssh_config");
  await writeFile(config, `Include ${hosts}\n`);
  return config;
}

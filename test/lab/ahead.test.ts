import { expect, test } from "vitest";
import { reportCase } from "./cases.ts";
import { type Client, startClient } from "./clients.ts";
import { type Lab, startLab } from "./lab.ts";

import { startLoad } from "./load.ts";
import { type Ended, runRota } from "./rota.ts";

const deploy = async (lab: Lab, release: string, pipeline: boolean): Promise<Ended> => {
  const inventory = await lab.inventory({ rollout: { batch: 1, soak: "5s", pipeline } });
  return runRota(lab, ["deploy", "-i", inventory, "--set", `RELEASE=${release}`, "--json"]);
};

/** Milliseconds at which a node's step began or ended. */
function timeOf({ events }: Ended, type: "step started" | "step ended", node: string, step: string): number {
  const found = events.find((event) => event.type === type && event.node === node && event.step === step);
  if (!found) throw new Error(`no ${type}: ${node} ${step}`);
  return Date.parse(found.at);
}

/** Requests that take their time: waiting for them to end is most of what comes before a node is changed. */
const slowClients = (lab: Lab): Client[] =>
  lab.balancers.flatMap(({ url }) =>
    Array.from({ length: 2 }, () => startClient({ url, backend: "app", takes: 2_500 })),
  );

test("a node leaves while the one before soaks: no request is lost, and the deploy takes less", async ({
  task,
}) => {
  await using lab = await startLab({ bootSeconds: 0.1, nodes: 3, workers: 4, checkInterMs: 200 });
  await using load = await startLoad({ urls: lab.balancers.map(({ url }) => url) });
  const slow = slowClients(lab);
  const without = await deploy(lab, "2", false);
  expect(without.code, without.stderr).toBe(0);
  const ahead = await deploy(lab, "3", true);
  expect(ahead.code, ahead.stderr).toBe(0);
  await Promise.all(slow.map((client) => client.stop()));
  expect(slow.flatMap((client) => client.lost)).toEqual([]);
  const { sent, lost } = await load.stop();
  reportCase(task, "a node leaves while the one before it soaks (rollout.pipeline)", { sent, lost });
  expect(lost).toBe(0);
  for (const [before, node] of [
    ["web1", "web2"],
    ["web2", "web3"],
  ] as const) {
    const soaked = timeOf(ahead, "step ended", before, "soak");
    expect(timeOf(ahead, "step started", before, "soak")).toBeLessThan(
      timeOf(ahead, "step started", node, "drain"),
    );
    expect(timeOf(ahead, "step ended", node, "settle")).toBeLessThan(soaked);
    expect(timeOf(ahead, "step started", node, "upgrade")).toBeGreaterThanOrEqual(soaked);
    expect(timeOf(without, "step started", node, "survey")).toBeGreaterThanOrEqual(
      timeOf(without, "step ended", before, "soak"),
    );
  }
  expect(ahead.ms).toBeLessThan(without.ms);
  expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["3", "3", "3"]);
});

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

/** Milliseconds from the end of one node's soak to the first change on the next one. */
const gapBetween = (run: Ended, before: string, node: string): number =>
  timeOf(run, "step started", node, "upgrade") - timeOf(run, "step ended", before, "soak");

/** Requests that take their time: waiting for them to end is most of what comes before a node is changed. */
const slowClients = (lab: Lab): Client[] =>
  lab.balancers.flatMap(({ url }) =>
    Array.from({ length: 2 }, () => startClient({ url, backend: "app", takes: 2_500 })),
  );

test("a node leaves while the one before soaks: no request is lost, and it is changed sooner after that", async ({
  task,
}) => {
  await using lab = await startLab({ bootSeconds: 0.1, nodes: 3, workers: 4, checkInterMs: 500 });
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
    // Not whole deploys: how long each request takes to end differs by more than what is won.
    expect(gapBetween(ahead, before, node)).toBeLessThan(gapBetween(without, before, node));
  }
  expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["3", "3", "3"]);
});

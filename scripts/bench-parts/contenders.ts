/** The same deploy, four ways; and the floor: what the nodes themselves need. */
import { join } from "node:path";
import { startLab, type Lab } from "../../test/lab/lab.ts";
import type { LoadReport } from "../../test/lab/load-report.ts";
import { startLoad } from "../../test/lab/load.ts";
import { waitFor } from "../../test/lab/wait.ts";
import { notYet, yes } from "../../src/base/poll.ts";
import { type Cost, measured } from "./measure.ts";
import { playbookOf } from "./ansible.ts";

export interface Contender {
  name: string;
  /** What it does, for the table. */
  how: string;
  /** @returns undefined where there is no orchestrator whose cost could be told */
  deploy(lab: Lab, release: string): Promise<Cost | undefined>;
}

const root = join(import.meta.dirname, "../..");

export const contenders: Contender[] = [
  {
    name: "all at once",
    how: "every node switched and restarted together; no balancer is told",
    deploy: async (lab, release) => {
      await lab.restartAllAtOnce(release);
      return undefined;
    },
  },
  {
    name: "serial",
    how: "one node after the other; no balancer is told",
    deploy: async (lab, release) => {
      for (const node of lab.nodes) {
        await node.switchRelease(release);
        await node.appctl("restart");
        await node.untilServes(release);
      }
      return undefined;
    },
  },
  {
    name: "Ansible",
    how: "serial: 1, pipelining, ControlPersist, no facts, community.general.haproxy with drain and wait on every balancer",
    deploy: async (lab, release) => {
      const { words, env } = await playbookOf(lab, release);
      return measured("ansible-playbook", words, { cwd: lab.folder, env: { ...process.env, ...env } });
    },
  },
  {
    name: "rota",
    how: "batch: 1, everything else as it is by default",
    deploy: async (lab, release) => {
      const words = ["deploy", "-i", await lab.inventory(), "--set", `RELEASE=${release}`, "--yes"];
      const env = {
        ...process.env,
        ROTA_JOURNAL: `sqlite:${join(lab.folder, "journal.db")}`,
        ROTA_SSH_CONFIG: "none",
      };
      return measured(process.execPath, [join(root, "dist/bin/rota.js"), ...words], { cwd: lab.folder, env });
    },
  },
];

export interface Result {
  name: string;
  lost: number;
  sent: number;
  p99: number;
  /** Milliseconds, from the start of the orchestrator to its end. */
  took: number;
  /** Milliseconds: the restarts and boots of all nodes, one after the other. */
  floor: number;
  cpu: number | undefined;
  memory: number | undefined;
}

export const nodes = 4;

const fleet = { nodes, bootSeconds: 1, workers: 4 };

/**
 * Beside the same traffic, or the nodes would have the machine for themselves; what that loses is nobody's fault. On a
 * fleet of its own: HAProxy counts what it tried again, and whoever comes after would have to ask about that.
 *
 * @returns milliseconds
 */
async function floorNow(): Promise<number> {
  await using lab = await startLab(fleet);
  await using traffic = await startLoad({
    urls: lab.balancers.map(({ url }) => url),
    perSecond: 200,
    maxSeconds: 600,
  });
  let floor = 0;
  for (const node of lab.nodes) floor += await lab.restartDirectly(node);
  await traffic.stop();
  return floor;
}

/** A fresh fleet each time: nobody inherits what another one left. */
export async function round(contender: Contender): Promise<Result> {
  const floor = await floorNow();
  await using lab = await startLab(fleet);
  const urls = lab.balancers.map(({ url }) => url);
  await using load = await startLoad({ urls, perSecond: 200, maxSeconds: 600 });
  // The first requests meet apps that have not served any yet.
  await waitFor("some traffic", 20_000, async () =>
    load.soFar().sent > 200 ? yes(undefined) : notYet(`${load.soFar().sent} requests`),
  );
  const began = performance.now();
  const cost = await contender.deploy(lab, "2");
  const took = cost?.took ?? performance.now() - began;
  if (cost && cost.code !== 0) throw new Error(`${contender.name} ended with ${cost.code}:\n${cost.output}`);
  const releases = await Promise.all(lab.nodes.map((node) => node.release()));
  if (releases.some((release) => release !== "2"))
    throw new Error(`${contender.name}: nodes serve ${releases.join(", ")}`);
  await lab.untilAllInRotation();
  const report: LoadReport = await load.stop();
  const { lost, sent, p99 } = report;
  return { name: contender.name, lost, sent, p99, took, floor, cpu: cost?.cpu, memory: cost?.memory };
}

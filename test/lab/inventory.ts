import { writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { stringify } from "yaml";
import type { LabBalancer } from "./balancer.ts";
import type { Gate } from "./gate.ts";
import type { LabNode } from "./node.ts";

/** A part of an inventory, to be laid over the lab's own. A key that is given as undefined goes. */
export type Overrides = { [key: string]: unknown };

export interface Site {
  folder: string;
  balancers: LabBalancer[];
  /** What each balancer is reached through, if anything. */
  gates: Gate[];
  jump: Gate | undefined;
  nodes: LabNode[];
  identity: string;
  knownHosts: string;
}

/** Writes an inventory of the whole lab; the overrides are of the pool `web`, and of the rest of the file. */
export async function writeInventory(
  path: string,
  site: Site,
  pool: Overrides = {},
  rest: Overrides = {},
): Promise<string> {
  const inventory = merged(merged(inventoryOf(site), { pools: { web: pool } }), rest);
  await writeFile(path, stringify(inventory));
  return path;
}

const inventoryOf = (site: Site): Overrides => ({
  fleet: "lab",
  balancers: Object.fromEntries(
    site.balancers.map((balancer, at) => [balancer.name, entryOfBalancer(balancer, at, site.gates[at])]),
  ),
  ssh: {
    user: userInfo().username,
    identity: site.identity,
    known_hosts: site.knownHosts,
    ...(site.jump ? { jump: `${site.jump.host}:${site.jump.port}` } : {}),
  },
  pools: {
    web: {
      nodes: Object.fromEntries(site.nodes.map((node) => [node.name, entryOf(node)])),
      needs: ["RELEASE"],
      upgrade: 'cd "$NODE_HOME" && ./switch-release "$RELEASE"',
      restart: { via: "command", run: 'cd "$NODE_HOME" && ./appctl restart' },
      check: {
        url: `http://{host}:${site.nodes[0]?.appPort}/_status`,
        body: '"release": "{RELEASE}"',
        times: 2,
      },
      rollout: { batch: 1 },
    },
  },
});

/** Every second one by TCP, so that both ways are used. */
function entryOfBalancer(
  { adminSocket, masterSocket, tcp }: LabBalancer,
  at: number,
  gate: Gate | undefined,
): Overrides {
  if (gate) {
    const through = `ssh://${gate.host}:${gate.port}`;
    return { socket: `${through}${adminSocket}`, master: `${through}${masterSocket}` };
  }
  const socket = at % 2 === 0 ? `unix:${adminSocket}` : `tcp://${tcp.host}:${tcp.port}`;
  return { socket, master: `unix:${masterSocket}` };
}

const entryOf = ({ host, sshPort, pidFile, folder }: LabNode): Overrides => ({
  host,
  ssh: { port: sshPort },
  vars: { APP_PID: pidFile, NODE_HOME: folder },
});

function merged(base: Overrides, over: Overrides): Overrides {
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = result[key];
    result[key] = isMap(below) && isMap(value) ? merged(below, value) : value;
  }
  return result;
}

const isMap = (value: unknown): value is Overrides =>
  typeof value === "object" && value !== null && !Array.isArray(value);

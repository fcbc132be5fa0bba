/** One HAProxy before very many nodes: each has its own address, and all share one sshd and one process of apps. */
import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { notYet, yes } from "../../src/base/poll.ts";
import { freePorts, loopbackPrefix } from "../../test/lab/addresses.ts";
import { type LabBalancer, startBalancer } from "../../test/lab/balancer.ts";
import { type Processes, processesIn } from "../../test/lab/processes.ts";
import { untilChecked } from "../../test/lab/servers.ts";
import { knownHostsLine, makeKey } from "../../test/lab/ssh-keys.ts";
import { startSshd } from "../../test/lab/sshd.ts";
import { waitFor } from "../../test/lab/wait.ts";
import { hostOf } from "./scale-places.ts";

export interface LargeFleet extends AsyncDisposable {
  folder: string;
  balancer: LabBalancer;
  inventory: string;
  /** What its programs must have in their environment to end with it. */
  mark: Processes["mark"];
  /** What each node serves. */
  releases(): Promise<string[]>;
}

/** HAProxy's checks; the same at every size, so that costs compare. Milliseconds. */
const checks = { inter: 5_000, fall: 2, rise: 1 };
/** Milliseconds during which an app that restarts answers nothing. */
const boot = 300;
/** A node more than this at once makes no deploy quicker here: they share two processors. */
const mostAtOnce = 100;

const batchOf = (nodes: number): string | number => (nodes / 10 > mostAtOnce ? mostAtOnce : "10%");

export async function startLargeFleet(nodes: number): Promise<LargeFleet> {
  const folder = await mkdtemp(join(tmpdir(), "lab-"));
  const processes = processesIn(folder);
  try {
    return await start(nodes, folder, processes);
  } catch (error) {
    await processes.end();
    throw error;
  }
}

interface Site {
  folder: string;
  nodes: { name: string; host: string }[];
  appPort: number;
  sshPort: number;
  identity: string;
  hostKey: string;
}

async function start(nodes: number, folder: string, processes: Processes): Promise<LargeFleet> {
  const prefix = loopbackPrefix().split(".").slice(0, 2).join(".");
  const [appPort = 0, sshPort = 0] = await freePorts(2, ["0.0.0.0"]);
  const site = {
    folder,
    nodes: Array.from({ length: nodes }, (_, i) => ({ name: `web${i + 1}`, host: hostOf(prefix, i + 1) })),
    appPort,
    sshPort,
    identity: await makeKey(join(folder, "id_ed25519")),
    hostKey: await makeKey(join(folder, "ssh_host_ed25519_key")),
  };
  await startApps(site, prefix, processes);
  await startSshd({
    address: "0.0.0.0",
    port: sshPort,
    folder,
    hostKey: site.hostKey,
    authorizedKey: `${site.identity}.pub`,
    processes,
    more: ["MaxStartups 1000", "MaxSessions 100"],
  });
  const balancer = await startHaproxy(site, `${prefix}.250.1`, processes);
  const inventory = await writeInventory(site, balancer);
  const releases = async (): Promise<string[]> => {
    const all: string[] = [];
    for (const { host } of site.nodes) all.push((await statusOf(site, host)).release);
    return all;
  };
  const { mark } = processes;
  return { folder, balancer, inventory, mark, releases, [Symbol.asyncDispose]: () => processes.end() };
}

async function startApps(site: Site, prefix: string, processes: Processes): Promise<void> {
  const { folder, nodes, appPort } = site;
  const fifo = join(folder, "control");
  await promisify(execFile)("mkfifo", ["-m", "600", fifo]);
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const program = join(import.meta.dirname, "scale-app.ts");
  const words = ["--import", tsx, program, `${appPort}`, fifo, `${boot}`, prefix, `${nodes.length}`];
  const log = join(folder, "apps.log");
  await processes.start(process.execPath, words, log);
  await waitFor("the apps to answer", 20_000, () =>
    statusOf(site, hostOf(prefix, 1)).then(
      () => yes(undefined),
      (error: Error) => notYet(`${error.message}, see ${log}`),
    ),
  );
}

const statusUrl = (host: string, { appPort }: Site): string => `http://${host}:${appPort}/_status`;

async function statusOf(site: Site, host: string): Promise<{ release: string }> {
  const answer = await fetch(statusUrl(host, site), { signal: AbortSignal.timeout(5_000) });
  return await answer.json();
}

async function startHaproxy(
  { folder, nodes, appPort }: Site,
  address: string,
  processes: Processes,
): Promise<LabBalancer> {
  const plan = {
    backends: ["app"],
    servers: nodes.map(({ name, host }) => ({ name, address: `${host}:${appPort}` })),
    checkInterMs: checks.inter,
    fall: checks.fall,
    rise: checks.rise,
    backendLines: [],
    serverOptions: "",
  };
  const balancer = await startBalancer({ name: "lb1", address, folder, plan, processes });
  await untilChecked(balancer);
  return balancer;
}

/** A line for each node, as on a machine that has been to all of them; every second one hashed, as Debian's ssh does it. */
async function writeKnownHosts({ folder, nodes, sshPort, hostKey }: Site): Promise<string> {
  const lines = nodes.map(({ host }, i) =>
    knownHostsLine({ host, port: sshPort, hashed: i % 2 === 1 }, hostKey),
  );
  const path = join(folder, "known_hosts");
  await writeFile(path, `${(await Promise.all(lines)).join("\n")}\n`);
  return path;
}

async function writeInventory(site: Site, { adminSocket, masterSocket }: LabBalancer): Promise<string> {
  const { folder, nodes, sshPort, identity } = site;
  const path = join(folder, "fleet.yml");
  const web = {
    nodes: Object.fromEntries(nodes.map(({ name, host }) => [name, host])),
    needs: ["RELEASE"],
    upgrade: 'echo "release $ROTA_NODE $RELEASE" >"$NODE_HOME/control"',
    restart: {
      via: "command",
      run: 'echo "restart $ROTA_NODE" >"$NODE_HOME/control"',
      proof: { field: "instance" },
    },
    check: { url: statusUrl("{host}", site), body: '"release":"{RELEASE}"', times: 2 },
    rollout: { batch: batchOf(nodes.length), min_serving: "80%" },
  };
  const inventory = {
    fleet: "large",
    balancers: { lb1: { socket: `unix:${adminSocket}`, master: `unix:${masterSocket}` } },
    ssh: { user: userInfo().username, port: sshPort, identity, known_hosts: await writeKnownHosts(site) },
    pools: { web },
  };
  await writeFile(path, stringify(inventory));
  return path;
}

import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts, loopbackPrefix } from "./addresses.ts";
import { startBalancer, type LabBalancer } from "./balancer.ts";
import { writeInventory, type Overrides, type Site } from "./inventory.ts";
import { startGate, type Gate } from "./gate.ts";
import { startNode, type LabNode, type NodeOptions } from "./node.ts";
import { processesIn, type Processes } from "./processes.ts";
import { knownHostsLine, makeKey } from "./ssh-keys.ts";
import { removeCgroups } from "./systemd.ts";
import { untilAllUp, untilChecked } from "./servers.ts";

export interface LabOptions {
  balancers?: number;
  nodes?: number;
  /** Each holds every node; the first is what the frontends serve by default. */
  backends?: string[];
  /** How long the app takes to import. */
  bootSeconds?: number;
  /** The nodes' sshd and app run under a systemd of their own; whoever logs in uses sudo. */
  systemd?: NodeOptions["systemd"];
  /** gunicorn runs with the hook that `rota hooks gunicorn` prints. */
  hook?: boolean;
  /** The app runs under uWSGI, with its guard. */
  uwsgi?: boolean;
  /** Of each app; fewer start faster, and are enough where no load runs. */
  workers?: number;
  /** HAProxy's health checks. */
  checkInterMs?: number;
  rise?: number;
  fall?: number;
  /** What runs at first. */
  release?: string;
  /** Balancers are reached through an sshd of their own; "jump": they and the nodes through one more before that. */
  through?: "ssh" | "jump";
  /** More lines for every backend section, more words for every server line; {name} is the server's. */
  backendLines?: string[];
  serverOptions?: string;
}

/** HAProxies in front of app nodes: the real programs, on this machine, without root. */
export interface Lab extends Site, AsyncDisposable {
  node(name: string): LabNode;
  balancer(name: string): LabBalancer;
  /** Ids of all processes of the lab that run now. */
  pids(): number[];
  /** Writes an inventory, with these overrides of its pool and of the rest; returns its path. */
  inventory(pool?: Overrides, rest?: Overrides): Promise<string>;
  /**
   * The floor of what any orchestrator can reach: restarts the node here, without SSH and whoever it serves.
   * Milliseconds from the start of `appctl restart` to the first good answer of what it started.
   */
  restartDirectly(node: LabNode): Promise<number>;
  /** What a deploy without an orchestrator does. Resolves when every balancer uses every node again. */
  restartAllAtOnce(release: string): Promise<void>;
  /** Waits until every balancer uses every node, in every backend. */
  untilAllInRotation(): Promise<void>;
  /** Ends every process and removes every file; once it has, nothing more happens. */
  stop(): Promise<void>;
}

export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const folder = await mkdtemp(join(tmpdir(), "lab-")); // short: a Unix socket's path has at most 107 bytes
  const processes = processesIn(folder);
  let stopped: Promise<void> | undefined;
  let site: Site | undefined;
  const stop = (): Promise<void> => (stopped ??= endSite(folder, site, processes));
  try {
    site = await startSite(folder, processes, options);
    return { ...site, ...actionsOn(site), pids: () => processes.pids(), stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function endSite(folder: string, site: Site | undefined, processes: Processes): Promise<void> {
  for (const node of site?.nodes ?? []) node.stop();
  await processes.end();
  await removeCgroups(folder);
}

async function startSite(folder: string, processes: Processes, options: LabOptions): Promise<Site> {
  const { release = "1", bootSeconds = 0.5, workers = 3 } = options;
  const prefix = loopbackPrefix();
  const identity = await makeKey(join(folder, "id_ed25519"));
  const places = await placesOf(options.nodes ?? 4, prefix);
  const nodes = await allOf(
    places.map((place) =>
      startNode({
        ...place,
        folder,
        bootSeconds,
        workers,
        release,
        processes,
        systemd: options.systemd,
        hook: options.hook,
        uwsgi: options.uwsgi,
        authorizedKey: `${identity}.pub`,
      }),
    ),
  );
  // Before the balancers start, or their checks would begin with nodes that are down.
  await allOf(nodes.map((node) => node.untilServes(release)));
  const plan = {
    backends: options.backends ?? ["app"],
    servers: nodes.map(({ name, host, appPort }) => ({ name, address: `${host}:${appPort}` })),
    checkInterMs: options.checkInterMs ?? 500,
    rise: options.rise ?? 2,
    fall: options.fall ?? 2,
    backendLines: options.backendLines ?? [],
    serverOptions: options.serverOptions ?? "",
  };
  const balancers = await allOf(
    numbers(options.balancers ?? 2).map((number) => {
      const [name, address] = [`lb${number}`, `${prefix}.${200 + number}`];
      return startBalancer({ name, address, folder, plan, processes });
    }),
  );
  await allOf(balancers.map(untilChecked));
  const gateAt = (name: string, address: string): Promise<Gate> =>
    startGate({ name, address, folder, identity, processes });
  const gates = options.through
    ? await allOf(balancers.map(({ name, tcp }) => gateAt(`${name}-ssh`, tcp.host)))
    : [];
  const jump = options.through === "jump" ? await gateAt("jump", `${prefix}.250`) : undefined;
  const knownHosts = await writeKnownHosts(folder, nodes, [...gates, ...(jump ? [jump] : [])]);
  return { folder, balancers, gates, jump, nodes, identity, knownHosts };
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

/** All have settled when it returns or throws, so that nothing starts any more while the lab is cleaned up. */
async function allOf<T>(promises: Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** Addresses of their own, and the same ports on all: a pool's check has one port. */
async function placesOf(
  count: number,
  prefix: string,
): Promise<Pick<NodeOptions, "name" | "host" | "appPort" | "sshPort">[]> {
  const places = numbers(count).map((number) => ({ name: `web${number}`, host: `${prefix}.${number}` }));
  const [appPort = 0, sshPort = 0] = await freePorts(
    2,
    places.map(({ host }) => host),
  );
  return places.map((place) => ({ ...place, appPort, sshPort }));
}

/** Every second name is hashed, as Debian's ssh does it, so that both kinds are read. */
async function writeKnownHosts(folder: string, nodes: LabNode[], gates: Gate[]): Promise<string> {
  const lines = await Promise.all(
    nodes.map(({ host, sshPort, hostKey }, at) =>
      knownHostsLine({ host, port: sshPort, hashed: at % 2 === 1 }, hostKey),
    ),
  );
  const path = join(folder, "known_hosts");
  await writeFile(path, `${[...lines, ...gates.map(({ known }) => known)].join("\n")}\n`);
  return path;
}

type Actions = Omit<Lab, keyof Site | keyof AsyncDisposable | "pids" | "stop">;

function actionsOn(site: Site): Actions {
  const { folder, balancers, nodes } = site;
  let inventories = 0;
  const untilAllInRotation = async (): Promise<void> => {
    await Promise.all(balancers.map(untilAllUp));
  };
  return {
    node: (name) => named(nodes, name),
    balancer: (name) => named(balancers, name),
    inventory(pool, rest) {
      inventories += 1;
      return writeInventory(join(folder, `inventory-${inventories}.yml`), site, pool, rest);
    },
    untilAllInRotation,
    async restartDirectly(node) {
      const release = await node.release();
      if (release === undefined) throw new Error(`${node.name} does not answer before its restart`);
      const began = performance.now();
      await node.appctl("restart"); // the old one is gone when this returns, so it can't answer
      await node.untilServes(release, 5);
      return performance.now() - began;
    },
    async restartAllAtOnce(release) {
      await Promise.all(
        nodes.map(async (node) => {
          await node.switchRelease(release);
          await node.appctl("restart");
          await node.untilServes(release);
        }),
      );
      await untilAllInRotation();
    },
  };
}

function named<T extends { name: string }>(all: T[], name: string): T {
  const found = all.find((one) => one.name === name);
  if (!found) throw new Error(`the lab has no ${name}, only ${all.map((one) => one.name).join(", ")}`);
  return found;
}

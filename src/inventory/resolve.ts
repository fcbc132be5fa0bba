/** An inventory whose shape is right → the fleet, nothing left to be looked up. */
import { dirname, join, resolve as absolute } from "node:path";
import { parseDuration } from "../base/duration.ts";
import type { Balancer, Check, Fleet, Node, Pool, Share, Ssh, StatusPage, Variable } from "./fleet.ts";
import type { Here } from "./here.ts";
import type { Positions } from "./positions.ts";
import type { Path } from "./problems.ts";
import { expand } from "./ranges.ts";
import type { Inventory, RawNode, RawNodeSsh, RawPool, RawVars } from "./schema.ts";
import { parseAddress } from "./socket.ts";

export interface Setting {
  /** The inventory's path, as the person gave it. */
  file: string;
  here: Here;
  positions: Positions;
}

export function resolve(inventory: Inventory, setting: Setting): Fleet {
  const { positions, file } = setting;
  const balancers = positions
    .keysAt(["balancers"])
    .flatMap((name) => balancer(name, inventory.balancers?.[name]));
  const ssh = { ...inventory.ssh, user: inventory.ssh.user ?? setting.here.user };
  const pools = positions.keysAt(["pools"]).flatMap((name) => {
    const raw = inventory.pools[name];
    return raw ? [pool(name, raw, { ...setting, balancers, ssh })] : [];
  });
  return { name: inventory.fleet, sharedJournal: inventory.journal === "shared", file, balancers, pools };
}

interface Surroundings extends Setting {
  balancers: Balancer[];
  ssh: Inventory["ssh"] & { user: string };
}

function balancer(name: string, address = ""): Balancer[] {
  const socket = parseAddress(address);
  return socket ? [{ name, socket }] : [];
}

function pool(name: string, raw: RawPool, around: Surroundings): Pool {
  const { restart, rollout, check, drain, limits } = raw;
  return {
    name,
    balancers: raw.balancers ?? around.balancers.map((one) => one.name),
    backends: raw.backends,
    nodes: nodesOf(name, raw, around),
    needs: raw.needs,
    drain: { within: milliseconds(drain.within) },
    statusPage: raw.status_page && statusPage(raw.status_page),
    upgrade: typeof raw.upgrade === "string" ? { run: raw.upgrade, repeat: "ask" } : raw.upgrade,
    restart: { via: restart.via, run: restart.run, pidfile: restart.proof?.pidfile },
    check: checkOf(check),
    ready: raw.ready,
    rollout: {
      batch: share(rollout.batch),
      minServing: share(rollout.min_serving),
      maxFailures: rollout.max_failures,
    },
    limits: {
      connect: milliseconds(limits.connect),
      command: milliseconds(limits.command),
      ready: milliseconds(limits.ready),
      capacity: milliseconds(limits.capacity),
    },
  };
}

const checkOf = ({ while_out: whileOut, ...check }: RawPool["check"]): Check => ({
  ...check,
  body: check.body,
  within: milliseconds(check.within),
  whileOut,
});

const statusPage = (raw: NonNullable<RawPool["status_page"]>): StatusPage => ({
  out: typeof raw.out === "string" ? { run: raw.out } : raw.out,
  in: typeof raw.in === "string" ? { run: raw.in } : raw.in,
  inter: raw.inter === undefined ? undefined : milliseconds(raw.inter),
  fastinter: raw.fastinter === undefined ? undefined : milliseconds(raw.fastinter),
  fall: raw.fall,
  rise: raw.rise,
  timeout: raw.timeout === undefined ? undefined : milliseconds(raw.timeout),
  linger: milliseconds(raw.linger),
});

const milliseconds = (text: string): number => parseDuration(text) ?? 0;

const share = (raw: number | string): Share =>
  typeof raw === "number" ? { count: raw } : { percent: Number.parseFloat(raw) };

function nodesOf(name: string, raw: RawPool, around: Surroundings): Node[] {
  const path = ["pools", name];
  const shared = variables(raw.vars, [...path, "vars"], around.positions);
  return around.positions.keysAt([...path, "nodes"]).flatMap((key) => {
    const node = raw.nodes[key];
    return node === undefined ? [] : nodesFrom(key, node, { path: [...path, "nodes", key], shared, around });
  });
}

interface NodePlace {
  path: Path;
  /** The pool's variables. */
  shared: Record<string, Variable>;
  around: Surroundings;
}

/** One node, or those of a range. */
function nodesFrom(key: string, raw: RawNode, { path, shared, around }: NodePlace): Node[] {
  const own = typeof raw === "string" ? { host: raw, vars: {} } : raw;
  const expansion = expand(key, own.host);
  if ("problem" in expansion) return [];
  const ssh = sshOf(own.ssh ?? {}, around);
  const vars = { ...shared, ...variables(own.vars, [...path, "vars"], around.positions) };
  return expansion.nodes.map(({ name, host }) => ({ name, host, server: own.server ?? name, ssh, vars }));
}

/** What the node says itself, else what the file says for every node. */
function sshOf(own: RawNodeSsh, around: Surroundings): Ssh {
  const identity = own.identity ?? around.ssh.identity;
  return {
    user: own.user ?? around.ssh.user,
    port: own.port ?? around.ssh.port,
    identity: identity === undefined ? undefined : pathOf(identity, around),
    knownHosts: pathOf(own.known_hosts ?? around.ssh.known_hosts, around),
  };
}

/** Relative to the inventory, so that a repository can be checked out anywhere. */
const pathOf = (path: string, { file, here }: Setting): string =>
  path.startsWith("~/") ? join(here.home, path.slice(2)) : absolute(here.folder, dirname(file), path);

function variables(raw: RawVars, path: Path, positions: Positions): Record<string, Variable> {
  return Object.fromEntries(
    Object.entries(raw).map(([name, value]): [string, Variable] => [
      name,
      typeof value === "object"
        ? value
        : {
            value:
              typeof value === "string" ? value : (positions.writtenAt([...path, name]) ?? String(value)),
          },
    ]),
  );
}

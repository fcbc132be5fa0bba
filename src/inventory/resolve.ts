/** An inventory whose shape is right → the fleet, nothing left to be looked up. */
import { dirname, join, resolve as absolute } from "node:path";
import { parseDuration } from "../base/duration.ts";
import type {
  Balancer,
  Check,
  Fleet,
  Node,
  Pool,
  Share,
  SocketAddress,
  StatsPage,
  StatusPage,
  Upgrade,
  Variable,
} from "./fleet.ts";
import type { Restart } from "./fleet-restart.ts";
import type { Here } from "./here.ts";
import type { Positions } from "./positions.ts";
import type { Path } from "./problems.ts";
import { expand } from "./ranges.ts";
import type { Inventory, RawBalancer, RawNode, RawNodeSsh, RawPool, RawVars } from "./schema.ts";
import { type Login, sshOf } from "./resolve-ssh.ts";
import { parseAddress } from "./socket.ts";

export interface Setting {
  /** The inventory's path, as the person gave it. */
  file: string;
  here: Here;
  positions: Positions;
}

export function resolve(inventory: Inventory, setting: Setting): Fleet {
  const { positions, file } = setting;
  const { ssh } = inventory;
  const login = { ssh, user: setting.here.user, pathOf: (path: string) => pathOf(path, setting) };
  const balancers = positions
    .keysAt(["balancers"])
    .flatMap((name) => balancer(name, inventory.balancers?.[name] ?? "", { ...setting, login }));
  const pools = positions.keysAt(["pools"]).flatMap((name) => {
    const raw = inventory.pools[name];
    return raw ? [pool(name, raw, { ...setting, balancers, login })] : [];
  });
  const sharedJournal = inventory.journal === "shared";
  const { before_deploy: beforeDeploy, after_deploy: afterDeploy } = inventory.hooks;
  return {
    name: inventory.fleet,
    sharedJournal,
    file,
    balancers,
    hooks: { beforeDeploy, afterDeploy },
    notices: inventory.notices,
    pools,
  };
}

interface Logins extends Setting {
  login: Login;
}

interface Surroundings extends Logins {
  balancers: Balancer[];
}

function balancer(name: string, raw: RawBalancer, around: Logins): Balancer[] {
  const { socket: text, master, jump } = typeof raw === "string" ? { socket: raw } : raw;
  const socket = addressOf(text, jump, around);
  if (!socket) return [];
  const ofMaster = master === undefined ? undefined : addressOf(master, jump, around);
  return [{ name, socket, master: ofMaster?.kind === "http" ? undefined : ofMaster }];
}

function addressOf(
  text: string,
  jump: RawNodeSsh["jump"],
  around: Logins,
): SocketAddress | StatsPage | undefined {
  const written = parseAddress(text);
  if (written?.kind !== "ssh") return written;
  const { user, host, port, path } = written;
  return { kind: "ssh", host, path, ssh: sshOf({ user, port, jump }, host, around.login) };
}

function pool(name: string, raw: RawPool, around: Surroundings): Pool {
  const { restart, rollout, check, drain, limits } = raw;
  return {
    name,
    balancers: raw.balancers ?? around.balancers.map((one) => one.name),
    backends: raw.backends,
    nodes: nodesOf(name, raw, around),
    needs: raw.needs,
    drain: { within: milliseconds(drain.within), atLimit: drain.at_limit },
    prepare: raw.prepare,
    release: raw.release && { ...raw.release, upload: pathOf(raw.release.upload, around) },
    statusPage: raw.status_page && statusPage(raw.status_page),
    stays: drain.via === "none",
    once: upgradeOf(raw.once),
    upgrade: upgradeOf(raw.upgrade),
    rollback: upgradeOf(raw.rollback),
    hooks: hooksOf(raw.hooks),
    restart: restartOf(restart),
    check: checkOf(check),
    ready: readyOf(raw.ready),
    rollout: {
      canary: share(rollout.canary),
      batch: Array.isArray(rollout.batch) ? rollout.batch.map(share) : [share(rollout.batch)],
      minServing: share(rollout.min_serving),
      maxFailures: rollout.max_failures,
      soak: milliseconds(rollout.soak),
      pipeline: rollout.pipeline,
      inconclusive: rollout.inconclusive,
      onFailure: rollout.on_failure,
    },
    limits: {
      connect: milliseconds(limits.connect),
      command: milliseconds(limits.command),
      ready: milliseconds(limits.ready),
      capacity: milliseconds(limits.capacity),
    },
  };
}

function restartOf(raw: RawPool["restart"]): Restart {
  switch (raw.via) {
    case "command": {
      const { proof } = raw;
      if (!proof || "pidfile" in proof) return { via: "command", run: raw.run, proof };
      return { via: "command", run: raw.run, proof: { field: proof.field, is: proof.is } };
    }
    case "gunicorn":
      return {
        ...raw,
        pidfile: raw.pidfile,
        bootWithin: milliseconds(raw.boot_within),
      };
    case "uwsgi":
      return {
        ...raw,
        fifo: raw.fifo,
        touch: raw.touch,
        bootWithin: milliseconds(raw.boot_within),
      };
    case "systemd":
    case "none":
      return raw;
  }
}

const hooksOf = (raw: RawPool["hooks"]): Pool["hooks"] => ({
  beforeBatch: raw.before_batch,
  afterBatch: raw.after_batch,
  beforeNode: raw.before_node,
  afterNode: raw.after_node,
});

const checkOf = ({ while_out: whileOut, ...check }: RawPool["check"]): Check => ({
  ...check,
  body: check.body,
  within: milliseconds(check.within),
  whileOut,
});

const readyOf = ({ proof, ramp, every }: RawPool["ready"]): Pool["ready"] => ({
  proof,
  ramp: ramp && { percents: ramp.map((text) => Number.parseFloat(text)), every: milliseconds(every) },
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

function upgradeOf(raw: RawPool["upgrade"]): Upgrade | undefined {
  if (raw === undefined) return undefined;
  if (typeof raw === "string") return { run: raw, repeat: "ask", doneIf: undefined };
  return { run: raw.run, repeat: raw.repeat, doneIf: raw.done_if };
}

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
  const vars = { ...shared, ...variables(own.vars, [...path, "vars"], around.positions) };
  return expansion.nodes.map(({ name, host }) => ({
    name,
    host,
    server: own.server ?? name,
    ssh: { ...sshOf(own.ssh ?? {}, host, around.login), sudo: own.ssh?.sudo ?? around.login.ssh.sudo },
    vars,
  }));
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

import type { NoticeTarget } from "./notices.ts";

/**
 * The fleet as rota works with it: everything resolved, every default filled in.
 * Times are milliseconds. What the file may say is in `schema.ts`.
 */
import type { Restart } from "./fleet-restart.ts";
export interface Fleet {
  /** The name of the fleet: what the journal files its runs under. */
  name: string;
  /** Changes are refused without a journal that is named in $ROTA_JOURNAL. */
  sharedJournal: boolean;
  /** The inventory's path, as the person gave it. */
  file: string;
  balancers: Balancer[];
  /** Before anything is touched, and when all is over. */
  hooks: { beforeDeploy: Hook | undefined; afterDeploy: Hook | undefined };
  notices: NoticeTarget[];
  pools: Pool[];
}

/** One HAProxy, reached at its runtime socket, or only read at its statistics page. */
export interface Balancer {
  name: string;
  socket: SocketAddress | StatsPage;
  /** The socket of its master process (`haproxy -W -S …`), which knows the workers that a reload replaced. */
  master?: SocketAddress | undefined;
}

/** One whose runtime socket is known. */
export type SocketBalancer = Balancer & { socket: SocketAddress };

/** HAProxy's statistics page: read only. */
export interface StatsPage {
  kind: "http";
  /** Without `;csv`. */
  url: string;
}

/** `ssh`: a Unix socket of another host. */
export type SocketAddress = DirectAddress | { kind: "ssh"; host: string; ssh: Ssh; path: string };

export type DirectAddress = { kind: "unix"; path: string } | { kind: "tcp"; host: string; port: number };

/** Nodes that are deployed alike. */
export interface Pool {
  name: string;
  /** Names of the balancers that serve this pool. */
  balancers: string[];
  /** HAProxy backends; absent means every backend that has the node's server. */
  backends: string[] | undefined;
  nodes: Node[];
  /** Variables that a deploy must be given with --set. */
  needs: string[];
  drain: Drain;
  /** Run on every node that takes part, before the first leaves. */
  prepare: string | undefined;
  /** What rota itself brings to the nodes; absent where there is nothing of that sort. */
  release?: Release | undefined;
  /** How a node leaves by its own page; absent where it leaves by HAProxy's runtime socket. */
  statusPage: StatusPage | undefined;
  /** Nodes stay in rotation while they are worked on. */
  stays: boolean;
  /** Run on one node of the pool only, before the first leaves. */
  once: Upgrade | undefined;
  /** Absent means that there is nothing to do in that step. */
  upgrade: Upgrade | undefined;
  /** Run by a rollback instead of `upgrade`. */
  rollback: Upgrade | undefined;
  hooks: PoolHooks;
  restart: Restart;
  check: Check;
  ready: { proof: Proof; ramp: Ramp | undefined };
  rollout: Rollout;
  limits: Limits;
}

/** How long sessions may take to end, and what becomes of those that don't. */
export interface Drain {
  within: number;
  /** The node goes back as found; HAProxy ends them; they are left to what is done on the node. */
  atLimit: "stop" | "cut" | "go-on";
}

/** A command beside the rotations: on this machine, or on the node. */
export type Hook = { here: string } | { run: string };

export interface PoolHooks {
  beforeBatch: Hook | undefined;
  afterBatch: Hook | undefined;
  beforeNode: Hook | undefined;
  afterNode: Hook | undefined;
}

/** A tar file that is unpacked beside the releases before it, and a link that is switched to it. */
export interface Release {
  /** A path here; `{NAME}` in it stands for a variable. */
  upload: string;
  /** A folder of the node, with `releases` and the link `current` in it; filled in alike. */
  to: string;
  /** Releases that stay on the node. */
  keep: number;
}

/** A command for /bin/sh. */
export interface Upgrade {
  run: string;
  /** Whether it may be run again where nobody knows how it ended. */
  repeat: "ask" | "yes" | "no";
  /** A command that changes nothing, and ends with 0 where the upgrade is done. */
  doneIf: string | undefined;
}

/** How a node's page is made to refuse HAProxy's checks, and to pass them again. */
export interface StatusPage {
  out: PageAct;
  in: PageAct;
  /** HAProxy's own check, as far as the file says it: where no balancer can be asked, all of it. */
  inter: number | undefined;
  fastinter: number | undefined;
  fall: number | undefined;
  rise: number | undefined;
  timeout: number | undefined;
  /** How long requests may run on where no balancer can be asked whether any do. */
  linger: number;
}

/** A command for /bin/sh on the node, or the URL of an HTTP POST from here; `{NAME}` in it stands for a variable. */
export type PageAct = { run: string } | { post: string };

/** The node's own answer to a request; `{NAME}` in url and body stands for a variable. */
export interface Check {
  url: string;
  status: number;
  /** Text that must occur in the body. */
  body: string | undefined;
  /** Good answers in a row. */
  times: number;
  within: number;
  /** What the page answers while it is held out (`statusPage`). */
  whileOut: number;
}

/** What HAProxy's own checks must show before a node takes traffic again. */
export type Proof = "pass" | "rise" | "check";

/** Back into rotation in steps; after the last one with its whole weight. */
export interface Ramp {
  /** Of the weight that the node was found with: above 0, below 100, rising. */
  percents: number[];
  /** How long each step lasts. */
  every: number;
}

export interface Rollout {
  /** The first nodes, alone; none where it counts 0. */
  canary: Share;
  /** Nodes out at once, batch after batch; the last one repeats. */
  batch: Share[];
  minServing: Share;
  maxFailures: number;
  /** How long the nodes of a batch are watched under traffic once they are back; 0 for not at all. */
  soak: number;
  /** The next batch leaves while one is watched. */
  pipeline: boolean;
  /** What is done where that shows too little. */
  inconclusive: "stop" | "go-on";
  /** What becomes of the run's nodes when the release failed on one. */
  onFailure: "stop" | "rollback";
}

/** A count, or a percent of a whole. */
export type Share = { count: number } | { percent: number };

export interface Limits {
  connect: number;
  command: number;
  ready: number;
  capacity: number;
}

/** What SSH needs to know of a host. */
export interface SshHost {
  /** For people. */
  name: string;
  /** Address or host name. */
  host: string;
  ssh: Ssh;
}

/** A host that runs the app: a *server* in one or more backends, on every balancer. Its address is for the check too. */
export interface Node extends SshHost {
  /** Its name in HAProxy. */
  server: string;
  /** The pool's variables and the node's own, the node's winning. */
  vars: Record<string, Variable>;
}

export interface Ssh {
  user: string;
  port: number;
  /** A private key file; absent means the agent at $SSH_AUTH_SOCK. */
  identity: string | undefined;
  knownHosts: string;
  /** Its commands run as root: without a password, or with one that is asked for once. */
  sudo?: boolean | "password";
  /** The host that the connection goes through. */
  jump?: Jump | undefined;
  /** What the file does not say of this: there ssh's own configuration does. Absent: it is not asked at all. */
  unsaid?: Unsaid | undefined;
}

export type Unsaid = readonly ("user" | "port" | "identity" | "knownHosts" | "jump")[];

/** Logged in to with the key and the known hosts of whoever is reached through it. */
export interface Jump {
  user: string;
  host: string;
  port: number;
  unsaid?: Unsaid | undefined;
}

/** A value in the file, or one that is read from rota's own environment when it is needed. */
export type Variable = { value: string } | { env: string; secret: boolean };

/** Balancers by name, of one pool, in the order of the file. */
export const balancersOf = (fleet: Fleet, pool: Pool): Balancer[] =>
  fleet.balancers.filter((balancer) => pool.balancers.includes(balancer.name));

/** A share of `total`, as a whole number. Batches round down, to at least 1; min_serving rounds up. */
export const shareOf = (share: Share, total: number, round: "down" | "up"): number => {
  if ("count" in share) return share.count;
  // 0.07 * 10_000 is 700.0000000000001, which must not round up to one server more.
  const exact = Number(((share.percent * total) / 100).toPrecision(12));
  return round === "up" ? Math.ceil(exact) : Math.max(1, Math.floor(exact));
};

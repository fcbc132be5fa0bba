import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { exchange } from "../../src/balancer/exchange.ts";
import { notYet, yes } from "../../src/base/poll.ts";
import { freePorts } from "./addresses.ts";
import { ask } from "./ask.ts";
import { haproxyConfig, type BalancerPlan } from "./haproxy-config.ts";
import { childrenOf, runs, signal } from "./family.ts";
import { haproxyBinary } from "./haproxy-binary.ts";
import type { Processes } from "./processes.ts";
import { waitFor } from "./wait.ts";

/** A real HAProxy, with a master and a worker. */
export interface LabBalancer {
  name: string;
  /** Of the HTTP frontend. */
  url: string;
  adminSocket: string;
  operatorSocket: string;
  userSocket: string;
  masterSocket: string;
  /** The statistics page. */
  statsUrl: string;
  /** The runtime socket on TCP, at admin level. */
  tcp: { host: string; port: number };
  /** What it runs with; a change takes effect at a reload. */
  configFile: string;
  /** Of the master. */
  pid: number;
  /** The answer to one line on the admin socket. */
  ask(line: string): Promise<string>;
  /** Resolves when the new worker answers on the admin socket. */
  reload(): Promise<void>;
  /** Ends master and workers as a crash does; resolves when they are gone. */
  kill(): Promise<void>;
  /** Starts it again after `kill`. */
  start(): Promise<void>;
  /** Stops the workers where they are; connections to it hang. */
  freeze(): void;
  thaw(): void;
}

export interface BalancerOptions {
  name: string;
  /** Its own loopback address. */
  address: string;
  /** Of the lab; it makes one of its own in there. */
  folder: string;
  plan: Omit<BalancerPlan, "http" | "tcp" | "stats" | "adminSocket" | "operatorSocket" | "userSocket">;
  processes: Processes;
}

export async function startBalancer(options: BalancerOptions): Promise<LabBalancer> {
  const { name, address, processes } = options;
  const folder = join(options.folder, name);
  await mkdir(folder);
  const [httpPort = 0, tcpPort = 0, statsPort = 0] = await freePorts(3, [address]);
  const sockets = {
    adminSocket: join(folder, "admin.sock"),
    operatorSocket: join(folder, "operator.sock"),
    userSocket: join(folder, "user.sock"),
  };
  const [configFile, masterSocket] = [join(folder, "haproxy.cfg"), join(folder, "master.sock")];
  const [http, tcp] = [`${address}:${httpPort}`, `${address}:${tcpPort}`];
  const stats = `${address}:${statsPort}`;
  await writeFile(configFile, haproxyConfig({ ...options.plan, ...sockets, http, tcp, stats }));
  await validate(configFile);

  const workers = (): number[] => childrenOf(balancer.pid);
  const log = join(folder, "haproxy.log");
  const balancer: LabBalancer = {
    name,
    url: `http://${http}`,
    ...sockets,
    masterSocket,
    statsUrl: `http://${stats}/stats`,
    tcp: { host: address, port: tcpPort },
    configFile,
    pid: 0,
    ask: (line) => ask(sockets.adminSocket, line),
    async start() {
      const args = ["-W", "-S", `${masterSocket},mode,600`, "-f", configFile];
      balancer.pid = await processes.start(haproxyBinary, args, log);
      await otherWorker(balancer, undefined, log);
    },
    async reload() {
      await masterAnswers(balancer);
      const before = await workerThatAnswers(balancer);
      signal(balancer.pid, "SIGUSR2");
      await otherWorker(balancer, before, log);
    },
    async kill() {
      const pids = [...workers(), balancer.pid];
      for (const pid of pids) signal(pid, "SIGKILL");
      await waitFor(`${name} to end`, 5_000, async () =>
        pids.some(runs) ? notYet("it runs") : yes(undefined),
      );
    },
    freeze: () => workers().forEach((pid) => signal(pid, "SIGSTOP")),
    thaw: () => workers().forEach((pid) => signal(pid, "SIGCONT")),
  };
  await balancer.start();
  return balancer;
}

async function validate(configFile: string): Promise<void> {
  await promisify(execFile)(haproxyBinary, ["-c", "-f", configFile]).catch((error: { stderr?: string }) => {
    throw new Error(`HAProxy does not accept ${configFile}:\n${error.stderr ?? ""}`, { cause: error });
  });
}

/** A signal is lost that comes before the master listens for it, which a worker that answers does not prove. */
const masterAnswers = ({ name, masterSocket }: LabBalancer): Promise<void> =>
  waitFor(`the master of ${name} to answer`, 5_000, () =>
    exchange({ kind: "unix", path: masterSocket }, "show proc", 1, { connect: 1_000, reply: 1_000 }).then(
      () => yes(undefined),
      (error: Error) => notYet(error.message),
    ),
  );

/** Waits until a worker answers that is not the one from before. */
const otherWorker = (balancer: LabBalancer, before: string | undefined, log: string): Promise<string> =>
  waitFor(`a new worker of ${balancer.name}`, 10_000, async () => {
    if (!runs(balancer.pid)) throw new Error(`${balancer.name} has ended:\n${await readFile(log, "utf8")}`);
    const worker = await workerThatAnswers(balancer);
    return worker && worker !== before ? yes(worker) : notYet(`none yet, see ${log}`);
  });

/** Its process id, as it says itself. */
async function workerThatAnswers(balancer: LabBalancer): Promise<string | undefined> {
  const info = await balancer.ask("show info").catch(() => "");
  return /^Pid: (\d+)$/m.exec(info)?.[1];
}

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import type { Ssh } from "../../src/inventory/fleet.ts";
import { freePorts, loopbackPrefix } from "./addresses.ts";
import { childrenOf, signal } from "./family.ts";
import { processesIn, type Processes } from "./processes.ts";
import { knownHostsLine, makeKey } from "./ssh-keys.ts";
import { startSshd, type Sshd, type SshdOptions } from "./sshd.ts";

/** A real sshd that balancers, or hosts behind it, are reached through. */
export interface Gate {
  host: string;
  port: number;
  sshd: Sshd;
  /** A line for known_hosts. */
  known: string;
  /** How many logins it has let in so far. */
  logins(): Promise<number>;
  /** Cuts every connection that it has. */
  cut(): void;
}

export type GateOptions = Pick<SshdOptions, "more" | "asAnybody">;

/** @param folder Of the lab; the gate makes one of its own in there. */
export async function startGate(
  {
    name,
    address,
    folder,
    identity,
    processes,
  }: { name: string; address: string; folder: string; identity: string; processes: Processes },
  options: GateOptions = {},
): Promise<Gate> {
  const own = join(folder, name);
  await mkdir(own);
  const hostKey = await makeKey(join(own, "ssh_host_ed25519_key"));
  const [port = 0] = await freePorts(1, [address]);
  const at = { address, port, folder: own, hostKey, authorizedKey: `${identity}.pub`, processes };
  const sshd = await startSshd({ ...at, ...options });
  return {
    host: address,
    port,
    sshd,
    known: await knownHostsLine({ host: address, port, hashed: false }, hostKey),
    async logins() {
      const log = await readFile(join(own, "sshd.log"), "utf8");
      return log.split("\n").filter((line) => line.includes("Accepted publickey")).length;
    },
    cut() {
      for (const pid of childrenOf(sshd.pid)) {
        for (const child of childrenOf(pid)) signal(child, "SIGKILL");
        signal(pid, "SIGKILL");
      }
    },
  };
}

/** Gates without the rest of a lab. */
export interface Gates extends AsyncDisposable {
  folder: string;
  start(options?: GateOptions): Promise<Gate>;
  /** How to log in at a gate. Only what is given to `know` is known. */
  ssh(gate: Gate): Ssh;
  know(...gates: Gate[]): Promise<void>;
}

export async function openGates(): Promise<Gates> {
  const folder = await mkdtemp(join(tmpdir(), "gate-")); // short: a Unix socket's path has at most 107 bytes
  const processes = processesIn(folder);
  const identity = await makeKey(join(folder, "id_ed25519"));
  const knownHosts = join(folder, "known_hosts");
  const prefix = loopbackPrefix();
  let gates = 0;
  return {
    folder,
    start(options) {
      gates += 1;
      return startGate(
        { name: `gate${gates}`, address: `${prefix}.${gates}`, folder, identity, processes },
        options,
      );
    },
    ssh: ({ port }) => ({ user: userInfo().username, port, identity, knownHosts }),
    know: (...known) => writeFile(knownHosts, known.map((gate) => `${gate.known}\n`).join("")),
    async [Symbol.asyncDispose]() {
      await processes.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

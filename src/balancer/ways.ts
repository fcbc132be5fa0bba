/** How a connection to a socket is opened: directly, or as a stream through an SSH connection that is kept. */
import type { Duplex } from "node:stream";
import { RotaError } from "../base/errors.ts";
import type { SocketAddress, SshHost } from "../inventory/fleet.ts";
import type { Connections } from "../remote/connections.ts";
import type { Refusal } from "../remote/stream.ts";
import { NoAnswer, type Open, connectTo, sayAddress } from "./exchange.ts";

type SshAddress = Extract<SocketAddress, { kind: "ssh" }>;

/** The ways to all balancers; with those through SSH, one connection a balancer. Disposal ends them. */
export interface Ways extends AsyncDisposable {
  to(balancer: string, at: SocketAddress): Open;
}

export interface WaysOptions {
  /** The path of the SSH agent's socket; $SSH_AUTH_SOCK unless given. */
  agent?: string | undefined;
  /** Another configuration for ssh than the usual, or "none"; $ROTA_SSH_CONFIG unless given. */
  sshConfig?: string | undefined;
}

/** Milliseconds for the SSH connection itself. */
const connectWithin = 10_000;
/** A link that is dead is found out in about 6 s; each question has its own, shorter limit. */
const keepalive = { interval: 2_000, count: 2 };

export function openWays({ agent, sshConfig }: WaysOptions = {}): Ways {
  // ssh2 is loaded for those who use it.
  const load = () => Promise.all([import("../remote/connections.ts"), import("../remote/stream.ts")]);
  let loaded: ReturnType<typeof load> | undefined;
  let connections: Connections | undefined;

  async function through(balancer: string, at: SshAddress, within: number): Promise<Duplex> {
    const [{ sshConnections }, { openStream, StreamRefused }] = await (loaded ??= load());
    connections ??= sshConnections({ connectWithin: () => connectWithin, agent, sshConfig, keepalive });
    const connection = await connections.to(hostOf(balancer, at)).catch((thrown: unknown) => {
      // A host that is not there may come back; one that does not let us in, or shows a wrong key, must stop everything.
      if (!(thrown instanceof RotaError && thrown.code === "HOST_UNREACHABLE")) throw thrown;
      throw new NoAnswer(thrown.message, { next: thrown.next, cause: thrown });
    });
    return openStream(connection, at.path, within).catch((thrown: unknown) => {
      if (!(thrown instanceof StreamRefused)) throw thrown;
      const loggedIn = { ...at, ssh: { ...at.ssh, user: connection.user } };
      throw noStream(loggedIn, thrown.why, within, thrown);
    });
  }

  return {
    to: (balancer, at) => (within) =>
      at.kind === "ssh" ? through(balancer, at, within) : connectTo(at, within),
    async [Symbol.asyncDispose]() {
      await connections?.[Symbol.asyncDispose]();
    },
  };
}

/** A balancer's sockets may lie on two hosts. */
const hostOf = (balancer: string, { host, ssh }: SshAddress): SshHost => ({ name: balancer, host, ssh });

/** That host refuses us, and nothing is known of its HAProxy. */
const closed: ReadonlySet<Refusal> = new Set<Refusal>(["no entry", "no rights", "forbidden", "unsupported"]);

function noStream(at: SshAddress, why: Refusal, within: number, cause: unknown): NoAnswer {
  const { path, host, ssh } = at;
  const forward =
    'allow it there in sshd_config ("AllowStreamLocalForwarding yes"; no DisableForwarding, no "restrict" before the key), reload sshd, then the same again';
  const said: Record<Refusal, [problem: string, next?: string]> = {
    missing: [
      `there is no socket ${path} on ${host}; is HAProxy running, with "stats socket ${path} level admin" in its global section?`,
    ],
    "no socket": [`${path} on ${host} is no socket`],
    "no entry": [
      `${ssh.user} may not enter the folder of ${path} on ${host}`,
      `let ${ssh.user} into that folder, or log in as somebody who may`,
    ],
    "no rights": [
      `${ssh.user} may not write to ${path} on ${host}; on Debian its group is haproxy`,
      `add ${ssh.user} to the socket's group on ${host} (usermod -aG haproxy ${ssh.user}), then the same again`,
    ],
    quiet: [
      `nothing seems to listen at ${path} on ${host}, though the socket is there; or its sshd forbids forwarding to sockets`,
      `is HAProxy running there? If it is: ${forward}`,
    ],
    forbidden: [`the sshd of ${host} forbids forwarding to sockets`, forward],
    unsupported: [
      `the SSH server of ${host} can't forward to sockets (OpenSSH can, from 6.7 on)`,
      `give HAProxy a socket on TCP for rota, in a network that you trust: tcp://${host}:9999`,
    ],
    unclear: [
      `the sshd of ${host} opened no stream to ${path}: the socket is missing, or ${ssh.user} may not write to it, or sshd forbids forwarding to sockets (AllowStreamLocalForwarding)`,
    ],
    "no answer": [`${sayAddress(at)}: no connection within ${within} ms`],
    cut: [`${sayAddress(at)}: the SSH connection ended`],
  };
  const [problem, next] = said[why];
  return new NoAnswer(problem, { next, cause, closedToUs: closed.has(why) });
}

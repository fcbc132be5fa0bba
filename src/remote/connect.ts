import net from "node:net";
import type { Duplex } from "node:stream";
import ssh2, { type Client, type ConnectConfig } from "ssh2";
import { RotaError } from "../base/errors.ts";
import { hostKeyCheck } from "./host-key.ts";
import { loginFor } from "./login.ts";
import { runProxyCommand } from "./proxy-command.ts";
import type { Reach } from "./reach.ts";
import { unreachable } from "./unreachable.ts";

/** A silent peer is given up after about `interval` × (`count` + 1); without this it would hang for ever. */
export interface Keepalive {
  /** Milliseconds. */
  interval: number;
  count: number;
}

export interface ConnectOptions {
  /** Milliseconds until the connection must be ready for commands. */
  within: number;
  /** Ends the attempt, or later the connection, at once; a command under way ends as `unknown`. */
  signal: AbortSignal;
  /** The path of the agent's socket, for nodes without a key file. */
  agent: string | undefined;
  keepalive?: Keepalive | undefined;
  /** Opens the way to the host's sshd where that is not a connection of its own. */
  through?: (() => Promise<Duplex>) | undefined;
}

export interface Connection {
  client: Client;
  /** As whom we are logged in. */
  user: string;
  /** Settles, never with an error, when the connection is over, whoever ended it. */
  ended: Promise<void>;
}

/**
 * Connects to a host whose key is known.
 *
 * @throws RotaError HOST_UNREACHABLE, HOST_LOGIN, HOST_KEY, SSH_CONFIG; INTERRUPTED when the signal is aborted.
 */
export async function connect(node: Reach, options: ConnectOptions): Promise<Connection> {
  const { within, signal, agent, keepalive = { interval: 5_000, count: 3 }, through } = options;
  const hostKey = await hostKeyCheck(node);
  const login = await loginFor(node, agent);
  const way = await through?.();
  if (signal.aborted) {
    way?.destroy();
    throw interrupted(node);
  }

  // The socket is ours because ssh2, once it has said goodbye, waits for the peer for as long as that takes.
  const socket = way ?? ownWay(node);
  const client = new ssh2.Client();
  const end = (): void => {
    client.end();
    socket.destroy();
  };
  signal.addEventListener("abort", end, { once: true });
  const ended = over(client, end).then(() => signal.removeEventListener("abort", end));

  let refusal: RotaError | undefined;
  try {
    await ready(client, {
      sock: socket,
      username: node.ssh.user,
      authHandler: login,
      algorithms: { serverHostKey: hostKey.algorithms },
      hostVerifier: (key: Buffer) => !(refusal = hostKey.refusal(key)),
      readyTimeout: within,
      keepaliveInterval: keepalive.interval,
      keepaliveCountMax: keepalive.count,
      // Whether it forwards streams, a server is asked, not guessed from its name.
      strictVendor: false,
    });
    return { client, user: node.ssh.user, ended };
  } catch (thrown) {
    end();
    throw refusal ?? (signal.aborted ? interrupted(node) : unreachable(node, thrown, within));
  }
}

function ownWay({ host, ssh, configured }: Reach): Duplex {
  const { proxyCommand } = configured ?? {};
  if (proxyCommand !== undefined) return runProxyCommand(proxyCommand);
  return net.connect({ host, port: ssh.port, noDelay: true });
}

const interrupted = (node: Reach): RotaError =>
  new RotaError("INTERRUPTED", { problem: `stopped while connecting to ${node.name}` });

/** The agent fails for one key, and another of its keys may do: ssh2 goes on, and tells if none did. */
const isFinal = (error: Error & { level?: string }): boolean => error.level !== "agent";

function ready(client: Client, config: ConnectConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    let agentSaid: Error | undefined;
    client.on("error", (error) => {
      if (!isFinal(error)) agentSaid = error;
      else reject(agentSaid ? Object.assign(error, { cause: agentSaid }) : error);
    });
    client.once("close", () => reject(new Error("the host closed the connection")));
    client.once("ready", resolve);
    client.connect(config);
  });
}

/** After an error the connection is useless, even where the peer keeps its side of it open. */
function over(client: Client, end: () => void): Promise<void> {
  return new Promise((resolve) => {
    const onEnd = (): void => {
      end();
      resolve();
    };
    // Listens for good: ssh2 emits more than one error, and one that nobody hears ends the process.
    client.on("error", (error) => isFinal(error) && onEnd());
    client.once("end", onEnd).once("close", onEnd);
  });
}

import type { SshHost } from "../inventory/fleet.ts";
import type { Connection, Keepalive } from "./connect.ts";
import { streamThrough } from "./jump.ts";
import { type Reach, reaching } from "./reach.ts";

export interface SshOptions<Host extends SshHost = SshHost> {
  /** Milliseconds that a host's connection may take, and as much for that of its jump host. */
  connectWithin: (host: Host) => number;
  /** The path of the agent's socket; $SSH_AUTH_SOCK unless given. */
  agent?: string | undefined;
  /** Another configuration for ssh than the usual, or "none"; $ROTA_SSH_CONFIG unless given. */
  sshConfig?: string | undefined;
  /** 5 s and 3 unless given. */
  keepalive?: Keepalive | undefined;
}

/**
 * One connection a host, known by its name and address; one that died is forgotten, so that who comes next makes a new
 * one. Hosts with the same jump host share the connection to that. Disposal ends all of them at once and for good.
 */
export interface Connections<Host extends SshHost = SshHost> extends AsyncDisposable {
  /** @throws RotaError HOST_UNREACHABLE, HOST_LOGIN, HOST_KEY; INTERRUPTED once it is closed */
  to(host: Host): Promise<Connection>;
  close(host: Host): void;
  /** How it would get there. @throws RotaError SSH_CONFIG */
  reach(host: Host): Promise<Reach>;
}

interface Line {
  connected: Promise<Connection>;
  stop: AbortController;
}

export function sshConnections<Host extends SshHost>(options: SshOptions<Host>): Connections<Host> {
  const { connectWithin, agent = process.env["SSH_AUTH_SOCK"], keepalive } = options;
  const reach = reaching({ config: options.sshConfig ?? process.env["ROTA_SSH_CONFIG"], agent });
  const lines = new Map<string, Line>();
  let disposed = false;

  const lineTo = (key: string, within: number, reached: () => Promise<Reach>): Line =>
    lines.get(key) ?? dial(key, within, reached);

  function dial(key: string, within: number, reached: () => Promise<Reach>): Line {
    const stop = new AbortController();
    if (disposed) stop.abort();
    const connecting = async (): Promise<Connection> => {
      const to = await reached();
      const { via } = to;
      const through = via && (() => way(to, via, within));
      const { connect } = await import("./connect.ts"); // and ssh2 with it: not every command needs a host
      return connect(to, { within, signal: stop.signal, agent, keepalive, through });
    };
    const line = { stop, connected: connecting() };
    const forget = (): void => {
      if (lines.get(key) === line) lines.delete(key);
    };
    line.connected.then((connection) => connection.ended).then(forget, forget);
    lines.set(key, line);
    return line;
  }

  const way = (host: Reach, jump: Reach, within: number) => {
    // Who shares a jump host must also agree on the key to show it, on the one that it must show, and on the way to it.
    const key = `${keyOf(jump)} ${JSON.stringify(jump)}`;
    return streamThrough(() => lineTo(key, within, async () => jump).connected, { jump, host, within });
  };

  return {
    to: (host) => lineTo(keyOf(host), connectWithin(host), () => reach(host)).connected,
    reach,
    close(host) {
      lines.get(keyOf(host))?.stop.abort();
      lines.delete(keyOf(host));
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      const open = [...lines.values()];
      for (const { stop } of open) stop.abort();
      await Promise.allSettled(open.map(async ({ connected }) => (await connected).ended));
    },
  };
}

const keyOf = ({ name, host, ssh }: SshHost): string => JSON.stringify([name, ssh.user, host, ssh.port]);

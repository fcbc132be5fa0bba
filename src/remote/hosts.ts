import type { Node } from "../inventory/fleet.ts";
import type { Hosts } from "../rotation/ports.ts";
import { connect, type Connection, type Keepalive } from "./connect.ts";
import { exec } from "./exec.ts";

export interface SshHostsOptions {
  /** Milliseconds that a node's connection may take. */
  connectWithin: (node: Node) => number;
  /** The path of the agent's socket; $SSH_AUTH_SOCK unless given. */
  agent?: string | undefined;
  /** 5 s and 3 unless given. */
  keepalive?: Keepalive | undefined;
}

interface Line {
  connected: Promise<Connection>;
  stop: AbortController;
}

/**
 * The nodes' hosts over SSH. One connection a node, known by the node's name; one that died is forgotten, so
 * that the next `open` or `run` makes a new one. Disposal ends all of them at once and for good.
 */
export function sshHosts(options: SshHostsOptions): Hosts & AsyncDisposable {
  const { connectWithin, agent = process.env["SSH_AUTH_SOCK"], keepalive } = options;
  const lines = new Map<string, Line>();
  let disposed = false;

  const dial = (node: Node): Line => {
    const stop = new AbortController();
    if (disposed) stop.abort();
    const within = connectWithin(node);
    const line = { stop, connected: connect(node, { within, signal: stop.signal, agent, keepalive }) };
    const forget = (): void => {
      if (lines.get(node.name) === line) lines.delete(node.name);
    };
    line.connected.then((connection) => connection.ended).then(forget, forget);
    lines.set(node.name, line);
    return line;
  };
  const connectionTo = (node: Node): Promise<Connection> => (lines.get(node.name) ?? dial(node)).connected;

  return {
    async open(node) {
      await connectionTo(node);
    },
    run(node, script, command) {
      return exec(async () => (await connectionTo(node)).client, script, command);
    },
    close(node) {
      lines.get(node.name)?.stop.abort();
      lines.delete(node.name);
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      const open = [...lines.values()];
      for (const { stop } of open) stop.abort();
      await Promise.allSettled(open.map(async ({ connected }) => (await connected).ended));
    },
  };
}

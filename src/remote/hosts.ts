import type { Node } from "../inventory/fleet.ts";
import type { Hosts } from "../rotation/ports.ts";
import type { Connection } from "./connect.ts";
import { type SshOptions, sshConnections } from "./connections.ts";
import { exec } from "./exec.ts";
import type { As } from "./script.ts";
import { seeThatSudoWorks } from "./sudo.ts";
import { upload } from "./upload.ts";

export interface SshHostsOptions extends SshOptions<Node> {
  /** Asked for nodes with `ssh.sudo: password`. */
  sudoPassword?: (node: Node) => Promise<string>;
}

const loggedInAs = (user: string, node: Node): Node => ({ ...node, ssh: { ...node.ssh, user } });

/** The nodes' hosts over SSH; see {@link sshConnections}. */
export function sshHosts(options: SshHostsOptions): Hosts & AsyncDisposable {
  const connections = sshConnections(options);
  const proven = new WeakSet<Connection>();
  /** @param user who is logged in, which the inventory may leave to ssh's configuration */
  const asOn = async (node: Node, user: string): Promise<As> => {
    const { sudo = false } = node.ssh;
    if (sudo === "password") return { rootBy: (await options.sudoPassword?.(loggedInAs(user, node))) ?? "" };
    return sudo ? "root" : "itself";
  };
  /** A new connection too, as after a cut: a script must never follow a password that is not taken. */
  const seenToWork = async (node: Node): Promise<Connection> => {
    const connection = await connections.to(node);
    if (!node.ssh.sudo || proven.has(connection)) return connection;
    const { client, user } = connection;
    const as = await asOn(node, user);
    await seeThatSudoWorks(loggedInAs(user, node), client, as, options.connectWithin(node));
    proven.add(connection);
    return connection;
  };
  return {
    async open(node) {
      await seenToWork(node);
    },
    async run(node, script, command) {
      const as = await asOn(node, node.ssh.user);
      return exec(async () => (await seenToWork(node)).client, script, command, as);
    },
    async upload(node, file, how) {
      return await upload(await connections.to(node), file, how);
    },
    close: (node) => connections.close(node),
    [Symbol.asyncDispose]: () => connections[Symbol.asyncDispose](),
  };
}

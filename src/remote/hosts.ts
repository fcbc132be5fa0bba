import type { Node } from "../inventory/fleet.ts";
import type { Hosts } from "../rotation/ports.ts";
import type { Connection } from "./connect.ts";
import { type SshOptions, sshConnections } from "./connections.ts";
import { exec } from "./exec.ts";
import type { As } from "./script.ts";
import { fromHome } from "./home.ts";
import { seeThatSftpOpens } from "./sftp.ts";
import { seeThatSudoWorks } from "./sudo.ts";
import { upload } from "./upload.ts";

export interface SshHostsOptions extends SshOptions<Node> {
  /** Asked for nodes with `ssh.sudo: password`. */
  sudoPassword?: (node: Node) => Promise<string>;
}

const loggedInAs = (user: string, node: Node): Node => ({ ...node, ssh: { ...node.ssh, user } });

/** More than a rotation needs: for whoever looks after the hosts. */
export interface SshHosts extends Hosts, AsyncDisposable {
  /** Throws where a release could not be uploaded. */
  opensSftp(node: Node): Promise<void>;
  /** Files that hold, or may hold, the keys to log in with. @throws RotaError SSH_CONFIG */
  keyFiles(node: Node): Promise<{ named: string[]; usual: string[] }>;
}

/** The nodes' hosts over SSH; see {@link sshConnections}. */
export function sshHosts(options: SshHostsOptions): SshHosts {
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
    async opensSftp(node) {
      await seeThatSftpOpens(await connections.to(node));
    },
    async keyFiles(node) {
      const { ssh, configured } = await connections.reach(node);
      return {
        named: ssh.identity ? [fromHome(ssh.identity)] : [],
        usual: configured?.identities?.files ?? [],
      };
    },
    close: (node) => connections.close(node),
    [Symbol.asyncDispose]: () => connections[Symbol.asyncDispose](),
  };
}

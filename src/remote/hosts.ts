import type { Node } from "../inventory/fleet.ts";
import type { Hosts } from "../rotation/ports.ts";
import { type SshOptions, sshConnections } from "./connections.ts";
import { exec } from "./exec.ts";
import { upload } from "./upload.ts";

export type SshHostsOptions = SshOptions<Node>;

/** The nodes' hosts over SSH; see {@link sshConnections}. */
export function sshHosts(options: SshHostsOptions): Hosts & AsyncDisposable {
  const connections = sshConnections(options);
  return {
    async open(node) {
      await connections.to(node);
    },
    run(node, script, command) {
      return exec(async () => (await connections.to(node)).client, script, command);
    },
    async upload(node, file, how) {
      return await upload(await connections.to(node), file, how);
    },
    close: (node) => connections.close(node),
    [Symbol.asyncDispose]: () => connections[Symbol.asyncDispose](),
  };
}

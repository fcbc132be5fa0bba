/** How a host is reached over SSH: what the file says, what stands in for the rest, and which of it that is. */
import type { Jump, Ssh, Unsaid } from "./fleet.ts";
import type { Inventory, RawNodeSsh } from "./schema.ts";
import { parseSshHost } from "./socket.ts";

export interface Login {
  /** The file's, for all hosts. */
  ssh: Inventory["ssh"];
  /** The user of this machine. */
  user: string;
  /** A path of the file as one of this machine. */
  pathOf: (path: string) => string;
}

/** What the host says itself, else what the file says for all. */
export function sshOf(own: RawNodeSsh, host: string, around: Login): Ssh {
  const all = around.ssh;
  const user = own.user ?? all.user;
  const port = own.port ?? all.port;
  const identity = own.identity ?? all.identity;
  const knownHosts = own.known_hosts ?? all.known_hosts;
  const written = own.jump ?? all.jump;
  const unsaid = unsaidOf({ user, port, identity, knownHosts, jump: written });
  const jump = jumpOf(written, around, unsaid);
  return {
    user: user ?? around.user,
    port: port ?? 22,
    identity: identity === undefined ? undefined : around.pathOf(identity),
    knownHosts: around.pathOf(knownHosts ?? "~/.ssh/known_hosts"),
    // As ssh(1) has it: nobody jumps over himself.
    jump: jump?.host === host && jump.port === (port ?? 22) ? undefined : jump,
    unsaid,
  };
}

/** Not at the nodes' own port: a jump host's is another matter. */
function jumpOf(text: string | false | undefined, { ssh, user }: Login, unsaid: Unsaid): Jump | undefined {
  const written = text ? parseSshHost(text) : undefined;
  if (!written) return undefined;
  const own = unsaidOf({ user: written.user ?? ssh.user, port: written.port, jump: undefined });
  return {
    user: written.user ?? ssh.user ?? user,
    host: written.host,
    port: written.port ?? 22,
    unsaid: [...own, ...unsaid.filter((what) => what === "identity" || what === "knownHosts")],
  };
}

const unsaidOf = (said: Partial<Record<Unsaid[number], unknown>>): Unsaid =>
  (["user", "port", "identity", "knownHosts", "jump"] as const).filter(
    (what) => what in said && said[what] === undefined,
  );

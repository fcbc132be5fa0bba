import { sayDuration } from "../base/duration.ts";
import { type ErrorCode, messageOf, RotaError } from "../base/errors.ts";
import { printable, typedWord } from "../base/quote.ts";
import { fromHome } from "./home.ts";
import type { Reach } from "./reach.ts";

/**
 * What a person types to go to the node without rota, with the same key and the same known hosts. What ssh's own
 * configuration says it knows by itself.
 */
export function sshCommand({ configured, ...reached }: Reach): string {
  const { host, ssh } = configured?.written ?? reached;
  const { jump } = ssh;
  const isOpen = (what: NonNullable<typeof ssh.unsaid>[number]): boolean =>
    (configured && ssh.unsaid?.includes(what)) ?? false;
  const user = isOpen("user") ? "" : `${ssh.user}@`;
  // Its options are for the last hop only: ssh(1) asks its own configuration about a jump host.
  const words = [
    ...(configured?.file === undefined ? [] : ["-F", configured.file]),
    ...(jump ? ["-J", `${jump.user}@${inBrackets(jump.host)}:${jump.port}`] : []),
    ...(ssh.identity === undefined ? [] : ["-i", ssh.identity]),
    ...(isOpen("knownHosts") || isUsual(ssh.knownHosts)
      ? []
      : ["-o", `UserKnownHostsFile=${ssh.knownHosts}`]),
    ...(isOpen("port") ? [] : ["-p", `${ssh.port}`]),
    `${user}${host}`,
  ];
  return ["ssh", ...words.map(typedWord)].join(" ");
}

const inBrackets = (host: string): string => (host.includes(":") ? `[${host}]` : host);

/** The file that ssh writes to without being told. */
const isUsual = (knownHosts: string): boolean => fromHome(knownHosts) === fromHome("~/.ssh/known_hosts");

/** "ENOENT", "ECONNREFUSED"… of an error that has one. */
export const codeOf = (thrown: unknown): string =>
  thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";

const said: Record<string, string> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was cut",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to its network",
  ENOTFOUND: "name not found",
  EAI_AGAIN: "the name server does not answer",
  ETIMEDOUT: "no answer",
};

/** @param within Milliseconds that the connection was given. */
export function unreachable(node: Reach, thrown: unknown, within: number): RotaError {
  const { host, ssh } = node;
  const { problem, next, code = "HOST_UNREACHABLE" } = explain(node, thrown, within);
  const through = ssh.jump ? ` through the jump host ${ssh.jump.host}, which answers` : "";
  return new RotaError(code, {
    problem: `${node.name} (${ssh.user}@${host}:${ssh.port}) can't be reached over SSH${through}: ${problem}`,
    next: next ?? `${sshCommand(node)}, which should fail in the same way; then the same command again`,
    cause: thrown,
  });
}

interface Explained {
  problem: string;
  next?: string;
  code?: ErrorCode;
}

function explain(node: Reach, thrown: unknown, within: number): Explained {
  const message = printable(messageOf(thrown));
  const phase = thrown instanceof Error && "level" in thrown ? thrown.level : undefined; // set by ssh2
  if (phase === "client-timeout") return { problem: `no answer within ${sayDuration(within)}` };
  if (phase === "client-authentication") return { problem: refused(node, thrown), code: "HOST_LOGIN" };
  if (message.includes("no matching key exchange")) {
    return {
      problem: "no key exchange in common. The host allows only post-quantum ones, or only very old ones",
      next: `allow curve25519-sha256 in KexAlgorithms of sshd_config on ${node.name}`,
    };
  }
  if (/too many authentication/i.test(message)) {
    return {
      problem: message,
      code: "HOST_LOGIN",
      next: "name the key to use with ssh.identity: the agent holds too many",
    };
  }
  return { problem: said[codeOf(thrown)] ?? message };
}

function refused({ ssh, configured }: Reach, thrown: unknown): string {
  const agentSaid = thrown instanceof Error && thrown.cause;
  if (agentSaid) return `no key of the agent would do (${printable(messageOf(agentSaid))})`;
  if (configured?.identities)
    return `${ssh.user} was refused with every key that ssh's configuration names, and the agent's`;
  return `${ssh.user} with ${ssh.identity ? `the key ${ssh.identity}` : "the agent's keys"} was refused`;
}

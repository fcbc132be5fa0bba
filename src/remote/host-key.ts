import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { ServerHostKeyAlgorithm } from "ssh2";
import { messageOf, RotaError } from "../base/errors.ts";
import { shellQuote } from "../base/quote.ts";
import type { SshHost } from "../inventory/fleet.ts";
import { fromHome } from "./home.ts";
import { keysOfHost, parseKnownHosts, type Judgement } from "./known-hosts.ts";
import { codeOf, sshCommand } from "./unreachable.ts";

/** In our order of preference. SHA-1 signatures (`ssh-rsa`) are not among them, as in ssh(1). */
const algorithms: ServerHostKeyAlgorithm[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
];

/** What a node's known_hosts file asks of the host. */
export interface HostKeyCheck {
  /** The known types come first: a host has several keys and shows the one that is asked for. */
  algorithms: ServerHostKeyAlgorithm[];
  /** Undefined for a known key; else HOST_KEY. */
  refusal(presented: Buffer): RotaError | undefined;
}

/**
 * Reads the node's known_hosts file; a missing one is an empty one.
 *
 * @throws RotaError HOST_KEY when the file is there and can't be read.
 */
export async function hostKeyCheck(node: SshHost): Promise<HostKeyCheck> {
  const text = await knownHostsOf(node);
  const keys = keysOfHost(parseKnownHosts(text ?? ""), node.host, node.ssh.port);
  return {
    algorithms: knownFirst(keys.types),
    refusal: (presented) => refusal(node, keys.judge(presented), fingerprint(presented), text === undefined),
  };
}

async function knownHostsOf({ ssh }: SshHost): Promise<string | undefined> {
  try {
    return await readFile(fromHome(ssh.knownHosts), "utf8");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new RotaError("HOST_KEY", {
      problem: `the known hosts file ${ssh.knownHosts} can't be read: ${messageOf(cause)}`,
      next: `make ${ssh.knownHosts} readable, or name another with ssh.known_hosts`,
      cause,
    });
  }
}

/** One RSA key signs by several algorithms (RFC 8332). */
function knownFirst(types: string[]): ServerHostKeyAlgorithm[] {
  const isKnown = (name: string): boolean => types.includes(name.startsWith("rsa-") ? "ssh-rsa" : name);
  return algorithms.toSorted((a, b) => Number(isKnown(b)) - Number(isKnown(a)));
}

/** As `ssh-keygen -l` prints it. */
const fingerprint = (key: Buffer): string =>
  `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;

function refusal(
  node: SshHost,
  judgement: Judgement,
  shown: string,
  missing: boolean,
): RotaError | undefined {
  if (judgement.kind === "known") return undefined;
  const { knownHosts, port } = node.ssh;
  const address = `${node.host}:${port}`;
  const record = `${sshCommand(node)}, compare ${shown} with the host's own (ssh-keygen -l) before you say yes, then the same command again`;
  if (judgement.kind === "revoked") {
    return new RotaError("HOST_KEY", {
      problem: `${node.name} (${address}) showed a REVOKED host key, ${shown} (${knownHosts}, ${lines(judgement.lines)})`,
      next: "don't talk to this host before you know why: somebody may hold its key. It needs a new one",
    });
  }
  if (judgement.kind === "changed") {
    return new RotaError("HOST_KEY", {
      problem: `THE HOST KEY OF ${node.name} (${address}) HAS CHANGED: it showed ${shown}, not what ${knownHosts} holds in ${lines(judgement.lines)}. Either the host was set up anew, or another machine answers in its place`,
      next: `only if you know that it was set up anew: ${forget(node)}; then ${record}`,
    });
  }
  const { authorities } = judgement;
  const unused = authorities.length > 0 ? ` (${lines(authorities)}: @cert-authority is not supported)` : "";
  return new RotaError("HOST_KEY", {
    problem: `${node.name} (${address}) showed the host key ${shown}, which is not in ${knownHosts}${missing ? ", a file that does not exist" : unused}`,
    next: record,
  });
}

const lines = (numbers: number[]): string => `${numbers.length > 1 ? "lines" : "line"} ${numbers.join(", ")}`;

function forget({ host, ssh }: SshHost): string {
  const name = ssh.port === 22 ? host : `[${host}]:${ssh.port}`;
  return `ssh-keygen -f ${shellQuote(fromHome(ssh.knownHosts))} -R ${shellQuote(name)}`;
}

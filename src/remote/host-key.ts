import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import type { ServerHostKeyAlgorithm } from "ssh2";
import { messageOf, RotaError } from "../base/errors.ts";
import { shellQuote } from "../base/quote.ts";
import { fromHome } from "./home.ts";
import { type Judgement, type KnownHost, keysOfHost, linesWith, parseKnownHosts } from "./known-hosts.ts";
import type { Reach } from "./reach.ts";
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
 * Reads the node's known_hosts files; a missing one is an empty one.
 *
 * @throws RotaError HOST_KEY when one is there and can't be read.
 */
export async function hostKeyCheck(node: Reach): Promise<HostKeyCheck> {
  const files = await knownHostsOf(node);
  const revoked = await revokedIn(node.configured?.revokedHostKeys);
  const { hostKeyAlias } = node.configured ?? {};
  // An alias stands for the host and its port.
  const keys = keysOfHost(entriesOf(files), hostKeyAlias ?? node.host, hostKeyAlias ? 22 : node.ssh.port);
  return {
    algorithms: knownFirst(keys.types),
    refusal: (presented) =>
      refusalByList(node, presented, revoked) ??
      refusal(node, keys.judge(presented), fingerprint(presented), files),
  };
}

/** RevokedHostKeys of ssh's configuration: where it can't be read no key is good, as for ssh. */
async function revokedIn(path: string | undefined): Promise<{ path: string; text: string } | undefined> {
  if (path === undefined) return undefined;
  const next = `make ${path} a readable list of public keys, one a line; or ROTA_SSH_CONFIG=none, and go by the inventory alone`;
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const problem = `the revoked host keys of ssh's configuration, ${path}, can't be read: ${messageOf(cause)}`;
    throw new RotaError("HOST_KEY", { problem, next, cause });
  }
  if (!text.startsWith("SSHKRL")) return { path, text };
  throw new RotaError("HOST_KEY", {
    problem: `the revoked host keys of ssh's configuration, ${path}, are a KRL, which rota does not read`,
    next,
  });
}

function refusalByList(
  node: Reach,
  presented: Buffer,
  revoked: { path: string; text: string } | undefined,
): RotaError | undefined {
  const lines = revoked ? linesWith(revoked.text, presented) : [];
  if (!revoked || lines.length === 0) return undefined;
  return isRevoked(node, fingerprint(presented), { path: revoked.path, lines: sayLines(lines) });
}

const isRevoked = (node: Reach, shown: string, { path, lines }: { path: string; lines: string }): RotaError =>
  new RotaError("HOST_KEY", {
    problem: `${node.name} (${addressOf(node)}) showed a REVOKED host key, ${shown} (${path}, ${lines})`,
    next: "don't talk to this host before you know why: somebody may hold its key. It needs a new one",
  });

const addressOf = ({ configured, host, ssh }: Reach): string =>
  configured?.hostKeyAlias ?? `${host}:${ssh.port}`;

interface KnownHostsFile {
  path: string;
  /** Undefined where there is none. */
  text: string | undefined;
}

async function knownHostsOf({ ssh, configured }: Reach): Promise<[KnownHostsFile, ...KnownHostsFile[]]> {
  const [first = ssh.knownHosts, ...others] = configured?.knownHosts ?? [];
  return [await knownHostsIn(first), ...(await Promise.all(others.map(knownHostsIn)))];
}

async function knownHostsIn(path: string): Promise<KnownHostsFile> {
  try {
    return { path, text: await textOf(fromHome(path)) };
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return { path, text: undefined };
    throw new RotaError("HOST_KEY", {
      problem: `the known hosts file ${path} can't be read: ${messageOf(cause)}`,
      next: `make ${path} readable, or name another with ssh.known_hosts`,
      cause,
    });
  }
}

/** As read last. Each connection asks, and keeps what it was told: of a long file there must be one copy, not one each. */
const kept = new Map<string, { stamp: string; text: string }>();

/** Read again where it was written since. */
async function textOf(path: string): Promise<string> {
  const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  const stamp = [ino, size, mtimeNs, ctimeNs].join(" ");
  const known = kept.get(path);
  if (known?.stamp === stamp) return known.text;
  const text = await readFile(path, "utf8");
  kept.set(path, { stamp, text });
  return text;
}

/** Lines of one file are counted on from those of the one before; see {@link placeOf}. */
function entriesOf(files: KnownHostsFile[]): KnownHost[] {
  const text = files.map(({ text: own = "" }) => own).join("\n");
  if (lastRead.text !== text) lastRead = { text, entries: parseKnownHosts(text) };
  return lastRead.entries;
}

/** The next host mostly has the same files, and they may be long. */
let lastRead: { text: string; entries: KnownHost[] } = { text: "", entries: [] };

/** Of the first file in which some of these lines lie. */
function placeOf(
  all: number[],
  [first, ...others]: [KnownHostsFile, ...KnownHostsFile[]],
): { path: string; lines: string } {
  const length = (first.text ?? "").split("\n").length;
  const mine = all.filter((line) => line <= length);
  const [next, ...rest] = others;
  if (mine.length > 0 || !next) return { path: first.path, lines: sayLines(mine) };
  return placeOf(
    all.map((line) => line - length),
    [next, ...rest],
  );
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
  node: Reach,
  judgement: Judgement,
  shown: string,
  files: [KnownHostsFile, ...KnownHostsFile[]],
): RotaError | undefined {
  if (judgement.kind === "known") return undefined;
  const address = addressOf(node);
  const record = `${sshCommand(node)}, compare ${shown} with the host's own (ssh-keygen -l) before you say yes, then the same command again`;
  if (judgement.kind === "revoked") return isRevoked(node, shown, placeOf(judgement.lines, files));
  if (judgement.kind === "changed") {
    const { path, lines } = placeOf(judgement.lines, files);
    return new RotaError("HOST_KEY", {
      problem: `THE HOST KEY OF ${node.name} (${address}) HAS CHANGED: it showed ${shown}, not what ${path} holds in ${lines}. Either the host was set up anew, or another machine answers in its place`,
      next: `only if you know that it was set up anew: ${forget(node, path)}; then ${record}`,
    });
  }
  const [{ path, text }] = files;
  const missing = text === undefined ? ", a file that does not exist" : "";
  const { authorities } = judgement;
  const unused =
    authorities.length > 0 ? ` (${placeOf(authorities, files).lines}: @cert-authority is not supported)` : "";
  return new RotaError("HOST_KEY", {
    problem: `${node.name} (${address}) showed the host key ${shown}, which is not in ${path}${unused || missing}`,
    next: record,
  });
}

const sayLines = (numbers: number[]): string =>
  `${numbers.length > 1 ? "lines" : "line"} ${numbers.join(", ")}`;

function forget({ host, ssh, configured }: Reach, path: string): string {
  const name = configured?.hostKeyAlias ?? (ssh.port === 22 ? host : `[${host}]:${ssh.port}`);
  return `ssh-keygen -f ${shellQuote(fromHome(path))} -R ${shellQuote(name)}`;
}

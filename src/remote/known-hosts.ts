/** The known_hosts file, as sshd(8) has it under SSH_KNOWN_HOSTS FILE FORMAT. Pure: nothing here reads a file. */
import { createHmac } from "node:crypto";

export interface KnownHost {
  /** Counted from 1. */
  line: number;
  marker: "" | "@revoked" | "@cert-authority";
  /** The second field as it stands: a comma list of patterns, or one hashed name. */
  names: string;
  type: string;
  /** The public key in the encoding of RFC 4253 §6.6. */
  key: Buffer;
}

export type Judgement =
  | { kind: "known" }
  /** The file holds other keys for this host, on these lines. */
  | { kind: "changed"; lines: number[] }
  /** `authorities`: lines with @cert-authority that name the host; rota can't use them. */
  | { kind: "unknown"; authorities: number[] }
  | { kind: "revoked"; lines: number[] };

/** The entries of a known_hosts file. Comments and malformed lines are left out, as ssh does. */
export function parseKnownHosts(text: string): KnownHost[] {
  return text.split("\n").flatMap((content, index) => {
    const entry = entryOf(content, index + 1);
    return entry ? [entry] : [];
  });
}

function entryOf(content: string, line: number): KnownHost | undefined {
  const fields = content.trim().split(/[ \t]+/);
  const marker = fields[0]?.startsWith("@") ? fields.shift() : "";
  const [names = "", type = "", encoded = ""] = fields;
  if (marker !== "" && marker !== "@revoked" && marker !== "@cert-authority") return undefined;
  if (names.startsWith("#")) return undefined;
  const key = Buffer.from(encoded, "base64");
  return typeIn(key) === type ? { line, marker, names, type, key } : undefined;
}

/** Lines of a list of public keys (`RevokedHostKeys`, ssh_config(5)) that hold this one; counted from 1. */
export const linesWith = (text: string, presented: Buffer): number[] =>
  text.split("\n").flatMap((content, index) => {
    const [, encoded = ""] = content.trim().split(/[ \t]+/);
    return Buffer.from(encoded, "base64").equals(presented) ? [index + 1] : [];
  });

/** A key begins with the name of its type, after four bytes of length. Undefined for anything else. */
function typeIn(key: Buffer): string | undefined {
  if (key.length < 4) return undefined;
  const length = key.readUInt32BE(0);
  return length > 0 && length < key.length - 4 ? key.toString("latin1", 4, 4 + length) : undefined;
}

/** What the file says about one host. */
export interface KeysOfHost {
  /** Types of the keys that are known, such as "ssh-ed25519"; in the order of the file. */
  types: string[];
  judge(presented: Buffer): Judgement;
}

/** @param port A port other than 22 is looked up as `[host]:port`. */
export function keysOfHost(entries: KnownHost[], host: string, port: number): KeysOfHost {
  const bare = host.toLowerCase();
  const name = port === 22 ? bare : `[${bare}]:${port}`;
  const ofHost = namedIn(entries, name);
  const plain = ofHost.filter((entry) => entry.marker === "");
  // ssh takes a key that is recorded without the port too, but a different one there says nothing. Looked for only where
  // it matters: each hashed name costs an HMAC.
  const ofBare = (): KnownHost[] => (name === bare ? ofHost : namedIn(entries, bare));
  const portless = (): KnownHost[] => ofBare().filter((entry) => entry.marker === "");

  return {
    types: [...new Set((plain.length > 0 ? plain : portless()).map((entry) => entry.type))],
    judge(presented) {
      const isIt = (entry: KnownHost): boolean => entry.key.equals(presented);
      const revoked = entries.filter(
        (entry) =>
          entry.marker === "@revoked" && isIt(entry) && (ofHost.includes(entry) || ofBare().includes(entry)),
      );
      if (revoked.length > 0) return { kind: "revoked", lines: linesOf(revoked) };
      if (plain.some(isIt)) return { kind: "known" };
      if (plain.length > 0) return { kind: "changed", lines: linesOf(plain) };
      if (portless().some(isIt)) return { kind: "known" };
      const authorities = ofHost.filter((entry) => entry.marker === "@cert-authority");
      return { kind: "unknown", authorities: linesOf(authorities) };
    },
  };
}

/** In the order of the file. */
function namedIn(entries: KnownHost[], name: string): KnownHost[] {
  const { byName, others, asked } = sortedOut(entries);
  const known = asked.get(name);
  if (known) return known;
  const written = byName.get(name) ?? [];
  const found = others.filter((entry) => matches(entry.names, name));
  const all = [...written, ...found].toSorted((a, b) => a.line - b.line);
  asked.set(name, all);
  return all;
}

interface Sorted {
  /** Entries that name their hosts in full. */
  byName: Map<string, KnownHost[]>;
  /** Patterns and hashes: each must be tried. */
  others: KnownHost[];
  /** What was found for a name: a host is connected to more than once. */
  asked: Map<string, KnownHost[]>;
}

/** A large fleet has a line for each host, and each host asks: sorted out once for each file. */
const sorted = new WeakMap<KnownHost[], Sorted>();

function sortedOut(entries: KnownHost[]): Sorted {
  const known = sorted.get(entries);
  if (known) return known;
  const fresh: Sorted = { byName: new Map(), others: [], asked: new Map() };
  for (const entry of entries) {
    if (/^\||[*?!]/.test(entry.names)) fresh.others.push(entry);
    else
      for (const name of new Set(entry.names.toLowerCase().split(","))) {
        const same = fresh.byName.get(name);
        if (same) same.push(entry);
        else fresh.byName.set(name, [entry]);
      }
  }
  sorted.set(entries, fresh);
  return fresh;
}

const linesOf = (entries: KnownHost[]): number[] => entries.map((entry) => entry.line);

function matches(names: string, name: string): boolean {
  if (names.startsWith("|")) return matchesHash(names, name);
  const patterns = names.toLowerCase().split(",");
  const fits = (pattern: string): boolean => wildcard(pattern).test(name);
  return patterns.some(fits) && !patterns.some((p) => p.startsWith("!") && fits(p.slice(1)));
}

/** `|1|salt|hash`: HMAC-SHA1 of the name, both in base64. */
function matchesHash(names: string, name: string): boolean {
  const [, version, salt = "", hash] = names.split("|");
  const key = Buffer.from(salt, "base64");
  return version === "1" && createHmac("sha1", key).update(name).digest("base64") === hash;
}

/** Only `*` and `?` mean something: `[` and `]` are part of a name with a port. */
function wildcard(pattern: string): RegExp {
  const parts = pattern
    .replace(/[\\^$.|+()[\]{}]/g, "\\$&")
    .replaceAll(/\*+/g, ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${parts}$`, "s");
}

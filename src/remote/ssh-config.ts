/** What ssh(1) is asked about a host (`ssh -G`), and how its answer is read. Pure. Source: ssh_config(5). */
import type { SshHost } from "../inventory/fleet.ts";

/** ssh's own words about a host, with Include, Match and patterns applied. */
export interface SshSays {
  hostname: string;
  user: string;
  port: number;
  /** In the order in which ssh tries them; with tokens. */
  identityFiles: string[];
  /** "none", "SSH_AUTH_SOCK", "$NAME" or a path. */
  identityAgent: string | undefined;
  identitiesOnly: boolean;
  /** Of the user, then of the machine. */
  knownHostsFiles: string[];
  hostKeyAlias: string | undefined;
  /** A file; with tokens. */
  revokedHostKeys: string | undefined;
  /** "ada@b1:2222,b2" */
  proxyJump: string | undefined;
  /** With tokens. */
  proxyCommand: string | undefined;
}

/** The inventory's own words are given as options, so that Match and tokens go by them. Never what begins with "-". */
export function questionAbout({ host, ssh }: SshHost, file: string | undefined): string[] {
  const isOpen = (what: "user" | "port" | "jump"): boolean => ssh.unsaid?.includes(what) ?? false;
  return [
    "-G",
    "-T",
    ...(file === undefined ? [] : ["-F", file]),
    ...(isOpen("user") ? [] : ["-l", ssh.user]),
    ...(isOpen("port") ? [] : ["-p", `${ssh.port}`]),
    // Else it would follow, and judge, a way that is not gone.
    ...(isOpen("jump") ? [] : ["-o", "ProxyJump=none"]),
    "--",
    host,
  ];
}

/** Undefined for what is no such answer. */
export function readAnswer(text: string): SshSays | undefined {
  const said = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [, key, value] = /^(\S+) (.*)$/.exec(line.trimEnd()) ?? [];
    if (key !== undefined && value !== undefined) said.set(key, [...(said.get(key) ?? []), value]);
  }
  const one = (key: string): string | undefined => said.get(key)?.[0];
  const words = (key: string): string[] => one(key)?.split(" ").filter(isSomething) ?? [];
  const [hostname, user, port] = [one("hostname"), one("user"), Number(one("port"))];
  if (!hostname || !user || !(port >= 1 && port <= 65_535)) return undefined;
  const setting = (key: string): string | undefined => [one(key)].filter(isSomething)[0];
  return {
    hostname,
    user,
    port,
    identityFiles: (said.get("identityfile") ?? []).filter(isSomething),
    identityAgent: one("identityagent"),
    identitiesOnly: one("identitiesonly") === "yes",
    knownHostsFiles: [...words("userknownhostsfile"), ...words("globalknownhostsfile")],
    hostKeyAlias: one("hostkeyalias"),
    revokedHostKeys: setting("revokedhostkeys"),
    proxyJump: setting("proxyjump"),
    proxyCommand: setting("proxycommand"),
  };
}

const isSomething = (word: string | undefined): word is string =>
  word !== undefined && word !== "" && word !== "none";

/** What tokens stand for: "%h" is under "h". */
export type Tokens = Record<string, string>;

/** Source: ssh_config(5), TOKENS. Undefined where a token is not known here. */
export function withTokens(text: string, tokens: Tokens): string | undefined {
  let known = true;
  const filled = text.replace(/%(.)/g, (_, token: string) => {
    if (token === "%") return "%";
    known &&= Object.hasOwn(tokens, token);
    return tokens[token] ?? "";
  });
  return known ? filled : undefined;
}

/** A path with its `~/`, tokens and ${NAME} filled in. Newer ssh's have done that already, and then nothing is left to do. */
export function pathIn(
  text: string,
  tokens: Tokens,
  env: Record<string, string | undefined>,
): string | undefined {
  const filled = withTokens(text, tokens);
  const path = filled?.replace(/\$\{(\w+)\}/g, (all, name: string) => env[name] ?? all);
  return path?.startsWith("~/") ? `${tokens["d"]}${path.slice(1)}` : path;
}

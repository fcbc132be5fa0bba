/** How a host is reached: the inventory's own words, and for the rest what ssh(1)'s configuration says. */
import { hostname, userInfo } from "node:os";
import PQueue from "p-queue";
import { RotaError } from "../base/errors.ts";
import { printable } from "../base/quote.ts";
import type { SshHost } from "../inventory/fleet.ts";
import { parseSshHost } from "../inventory/socket.ts";
import { askSsh } from "./ask-ssh.ts";
import { throughJump } from "./jump.ts";
import { type SshSays, type Tokens, pathIn, withTokens } from "./ssh-config.ts";

/** A host with its address, its login and the way to it. */
export interface Reach extends SshHost {
  /** Absent where ssh's configuration was not asked. */
  configured?: Configured | undefined;
  /** The host to go through. */
  via?: Reach | undefined;
}

/** What ssh's configuration says where the inventory says nothing. */
export interface Configured {
  /** The host as the inventory has it: what a person types after `ssh`. */
  written: SshHost;
  /** Where that is not the usual one. */
  file: string | undefined;
  /** Undefined where the inventory names the key. */
  identities: Identities | undefined;
  /** Undefined where the inventory names the file. */
  knownHosts: string[] | undefined;
  /** The name to look the host's key up by, without a port. */
  hostKeyAlias: string | undefined;
  /** A file with keys that no host may have. */
  revokedHostKeys: string | undefined;
  /** What to run instead of a connection of our own. */
  proxyCommand: string | undefined;
}

export interface Identities {
  /** Some may not exist. */
  files: string[];
  /** The path of the agent's socket. */
  agent: string | undefined;
  /** Of the agent's keys, only those of the files. */
  only: boolean;
}

interface Means {
  /** $ROTA_SSH_CONFIG: another configuration of ssh's; "none": it is not asked at all. */
  config: string | undefined;
  /** The path of the usual agent's socket. */
  agent: string | undefined;
}

/** A chain of jump hosts that is longer leads in a circle. */
const mostHops = 8;
/** `ssh -G` takes some milliseconds of CPU. */
const atOnce = 4;

/** Each host is asked about once, when it is first wanted. */
export function reaching({ config, agent }: Means): (host: SshHost) => Promise<Reach> {
  const queue = new PQueue({ concurrency: atOnce });
  const known = new Map<string, Promise<SshSays | undefined>>();
  const file = config === "none" || !config ? undefined : config;

  function ask(host: SshHost): Promise<SshSays | undefined> {
    if (config === "none" || host.ssh.unsaid === undefined) return Promise.resolve(undefined);
    const { user, port, unsaid } = host.ssh;
    const key = JSON.stringify([host.host, user, port, unsaid]);
    const asked = known.get(key) ?? queue.add(() => askSsh(host, file));
    known.set(key, asked);
    return asked;
  }

  /** @param jumps "ada@b1:2222,b2": those before the host, instead of what is said of the host itself */
  async function reach(host: SshHost, hops: number, jumps?: string): Promise<Reach> {
    if (hops > mostHops)
      throw new RotaError("SSH_CONFIG", {
        problem: `${host.name}: the way there has more than ${mostHops} jump hosts; it may lead in a circle`,
        next: `ssh -G ${host.host}, and see its ProxyJump`,
      });
    const said = await ask(host);
    const { jump, unsaid = [] } = host.ssh;
    if (jump) {
      const via = await reach(throughJump(host.ssh, jump), hops + 1);
      return { ...(said ? asSaid(host, said, { file, agent }) : host), via };
    }
    if (!said) return host;
    const to = asSaid(host, said, { file, agent });
    const written = jumps ?? (unsaid.includes("jump") ? said.proxyJump : undefined);
    if (written === undefined) return to;
    const via = await reachHop(written, to, hops);
    if (!via) return to;
    return {
      ...to,
      ssh: { ...to.ssh, jump: { host: via.host, user: via.ssh.user, port: via.ssh.port } },
      via,
    };
  }

  /** The last of the list is next to the host; the others lead to it. */
  async function reachHop(list: string, to: Reach, hops: number): Promise<Reach | undefined> {
    const [last = "", ...before] = list.split(",").toReversed();
    const hop = parseSshHost(last);
    if (!hop)
      throw new RotaError("SSH_CONFIG", {
        problem: `${to.name}: ssh's configuration says ProxyJump ${printable(list)}, which rota does not understand`,
        next: "ssh.jump in the inventory",
      });
    const port = hop.port ?? 22;
    if (hop.host === to.host && port === to.ssh.port) return undefined; // nobody jumps over himself
    const unsaid = [
      ...(["identity", "knownHosts"] as const).filter((what) => to.ssh.unsaid?.includes(what)),
      ...(hop.user === undefined ? (["user"] as const) : []),
      ...(hop.port === undefined ? (["port"] as const) : []),
      ...(before.length === 0 ? (["jump"] as const) : []),
    ];
    const user = hop.user ?? userInfo().username;
    const jump = throughJump({ ...to.ssh, unsaid }, { user, host: hop.host, port, unsaid });
    return await reach(jump, hops + 1, before.length === 0 ? undefined : before.toReversed().join(","));
  }

  return (host) => reach(host, 0);
}

function asSaid(
  host: SshHost,
  said: SshSays,
  { file, agent }: { file: string | undefined; agent: string | undefined },
): Reach {
  const isOpen = (what: NonNullable<SshHost["ssh"]["unsaid"]>[number]): boolean =>
    host.ssh.unsaid?.includes(what) ?? false;
  const { user, port } = said; // the inventory's, where it says them: they were part of the question
  const tokens = tokensFor(host, said);
  return {
    name: host.name,
    host: said.hostname,
    ssh: { ...host.ssh, user, port },
    configured: {
      written: host,
      file,
      identities: isOpen("identity") ? identitiesIn(said, tokens, agent) : undefined,
      knownHosts: isOpen("knownHosts") ? knownHostsIn(said) : undefined,
      hostKeyAlias: said.hostKeyAlias,
      // A path with a token that is not known here is no file, and then no key is good.
      revokedHostKeys:
        said.revokedHostKeys && (pathIn(said.revokedHostKeys, tokens, process.env) ?? said.revokedHostKeys),
      proxyCommand: isOpen("jump") ? proxyCommandIn(host, said, tokens) : undefined,
    },
  };
}

/** Where both are "none" nobody is known: not those of the usual file. */
const knownHostsIn = ({ knownHostsFiles }: SshSays): string[] =>
  knownHostsFiles.length > 0 ? knownHostsFiles : ["/dev/null"];

function identitiesIn(said: SshSays, tokens: Tokens, usual: string | undefined): Identities {
  const files = said.identityFiles.flatMap((text) => pathIn(text, tokens, process.env) ?? []);
  return { files, agent: agentIn(said.identityAgent, tokens, usual), only: said.identitiesOnly };
}

function agentIn(said: string | undefined, tokens: Tokens, usual: string | undefined): string | undefined {
  if (said === undefined || said === "SSH_AUTH_SOCK") return usual;
  if (said === "none") return undefined;
  return said.startsWith("$") && !said.startsWith("${")
    ? process.env[said.slice(1)]
    : pathIn(said, tokens, process.env);
}

/** It is the user's own shell command; what is put into it must mean nothing to a shell. */
function proxyCommandIn({ name }: SshHost, said: SshSays, tokens: Tokens): string | undefined {
  if (said.proxyCommand === undefined) return undefined;
  const { n = "", h = "", r = "", p = "" } = tokens;
  const command = withTokens(said.proxyCommand, { n, h, r, p });
  if (command !== undefined && [n, h, r].every((word) => /^[\w.:@+-]+$/.test(word) && !word.startsWith("-")))
    return command;
  throw new RotaError("SSH_CONFIG", {
    problem: `${name}: rota can't fill in the ProxyCommand of ssh's configuration: ${printable(said.proxyCommand)}`,
    next: "ssh.jump in the inventory, or a ProxyJump, instead",
  });
}

function tokensFor({ host }: SshHost, said: SshSays): Tokens {
  const { homedir, uid, username } = userInfo();
  const here = hostname();
  return {
    // ssh goes by the home folder of passwd(5), whatever $HOME says.
    d: homedir,
    i: `${uid}`,
    u: username,
    l: here,
    L: here.split(".")[0] ?? here,
    h: said.hostname,
    k: said.hostKeyAlias ?? host,
    n: host,
    p: `${said.port}`,
    r: said.user,
  };
}

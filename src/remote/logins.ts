/** The keys that ssh(1) would try, in its order: the agent's that are named, the agent's others, the files. */
import { readFile } from "node:fs/promises";
import ssh2, { type AnyAuthMethod, type BaseAgent, type ParsedKey } from "ssh2";
import type { Identities } from "./reach.ts";

export interface Logins {
  methods: AnyAuthMethod[];
  /** Key files with a passphrase, which only an agent can use. */
  locked: string[];
}

interface KeyFile {
  path: string;
  /** As it goes over the wire; undefined where neither the file nor its .pub shows it. */
  shown: Buffer | undefined;
  /** The private key; undefined where it can't be used. */
  key: ParsedKey | undefined;
  isLocked: boolean;
}

export async function loginsByConfig(username: string, identities: Identities): Promise<Logins> {
  const files = (await Promise.all(identities.files.map(keyFile))).flatMap((file) => file ?? []);
  const named = files.flatMap(({ shown }) => shown ?? []);
  const agent = identities.agent === undefined ? undefined : ssh2.createAgent(identities.agent);
  const held = agent ? inOrder(await keysOf(agent), named, identities.only) : [];
  const isHeld = ({ shown }: KeyFile): boolean =>
    shown !== undefined && held.some((key) => key.getPublicSSH().equals(shown));
  return {
    methods: [
      ...(agent && held.length > 0 ? [{ type: "agent" as const, username, agent: only(agent, held) }] : []),
      ...files.flatMap((file) =>
        file.key && !isHeld(file) ? [{ type: "publickey" as const, username, key: file.key }] : [],
      ),
    ],
    locked: files.filter(({ isLocked }) => isLocked).map(({ path }) => path),
  };
}

async function keyFile(path: string): Promise<KeyFile | undefined> {
  const text = await readFile(path).catch(() => undefined); // most of those that are usual don't exist
  const beside = await readFile(`${path}.pub`).catch(() => undefined);
  const [key, pub] = [parsed(text), parsed(beside)];
  if (!text && !pub) return undefined;
  const known = key instanceof Error ? undefined : key;
  return {
    path,
    shown: (known ?? (pub instanceof Error ? undefined : pub))?.getPublicSSH(),
    key: known?.isPrivateKey() ? known : undefined,
    isLocked: key instanceof Error && isLocked(key),
  };
}

function parsed(text: Buffer | undefined): ParsedKey | Error | undefined {
  return text && ssh2.utils.parseKey(text);
}

export const isLocked = (error: Error): boolean => /encrypted|passphrase/i.test(error.message);

/** No agent, or one that does not answer, is an agent without keys. */
const keysOf = (agent: BaseAgent): Promise<ParsedKey[]> =>
  new Promise((resolve) => {
    agent.getIdentities((error, keys) => {
      const all = error ? [] : (keys ?? []);
      resolve(all.flatMap((key) => (isParsed(key) ? [key] : [])));
    });
  });

const isParsed = (key: unknown): key is ParsedKey =>
  typeof key === "object" && key !== null && "getPublicSSH" in key;

function inOrder(held: ParsedKey[], named: Buffer[], onlyNamed: boolean): ParsedKey[] {
  const isNamed = (key: ParsedKey): boolean => named.some((one) => one.equals(key.getPublicSSH()));
  const first = named.flatMap((one) => held.filter((key) => key.getPublicSSH().equals(one)));
  return onlyNamed ? first : [...first, ...held.filter((key) => !isNamed(key))];
}

/** The same agent, of which only these keys are seen. */
function only(agent: BaseAgent, keys: ParsedKey[]): BaseAgent {
  const same: BaseAgent = Object.create(agent);
  same.getIdentities = (give) => give(undefined, keys);
  return same;
}

import { readFile } from "node:fs/promises";
import ssh2 from "ssh2";
import { messageOf, RotaError } from "../base/errors.ts";
import { shellQuote } from "../base/quote.ts";
import type { SshHost } from "../inventory/fleet.ts";
import { fromHome } from "./home.ts";

/** How we prove who we are: by one key or by the agent, never by whichever happens to work. */
export type Login =
  { privateKey: Buffer; authHandler: ["publickey"] } | { agent: string; authHandler: ["agent"] };

/**
 * The key file that the inventory names, else the agent.
 *
 * @param agent The path of the agent's socket.
 * @throws RotaError HOST_LOGIN when the key can't be used, or there is neither.
 */
export async function loginFor(node: SshHost, agent: string | undefined): Promise<Login> {
  const { identity } = node.ssh;
  if (identity) return { privateKey: await keyIn(identity, node), authHandler: ["publickey"] };
  if (agent) return { agent, authHandler: ["agent"] };
  throw new RotaError("HOST_LOGIN", {
    problem: `there is no key to log in to ${node.name} with: no ssh.identity in the inventory, no agent in $SSH_AUTH_SOCK`,
    next: 'eval "$(ssh-agent)" && ssh-add, or name a key file with ssh.identity',
  });
}

async function keyIn(identity: string, node: SshHost): Promise<Buffer> {
  const path = fromHome(identity);
  const unusable = (why: string, next: string, cause?: unknown): RotaError =>
    new RotaError("HOST_LOGIN", {
      problem: `the key ${identity} for ${node.name} ${why}`,
      next,
      cause,
    });

  const text = await readFile(path).catch((cause: unknown) => {
    throw unusable(`can't be read: ${messageOf(cause)}`, "name a readable key file with ssh.identity", cause);
  });
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error && /encrypted|passphrase/i.test(key.message)) {
    const next = `ssh-add ${shellQuote(path)}, and take ssh.identity out of the inventory, so that the agent is asked`;
    throw unusable("is protected by a passphrase", next, key);
  }
  if (key instanceof Error || !key.isPrivateKey()) {
    throw unusable("is not a private key", "name the private key, not the .pub file, with ssh.identity", key);
  }
  return text;
}

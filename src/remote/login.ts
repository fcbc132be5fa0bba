import { readFile } from "node:fs/promises";
import ssh2, { type AnyAuthMethod } from "ssh2";
import { messageOf, RotaError } from "../base/errors.ts";
import { shellQuote } from "../base/quote.ts";
import { fromHome } from "./home.ts";
import { isLocked, loginsByConfig } from "./logins.ts";
import type { Reach } from "./reach.ts";

/**
 * How we prove who we are: by the key file that the inventory names and by nothing else; where it names none, by what
 * ssh's configuration says; where that is not asked, by the agent.
 *
 * @param agent The path of the agent's socket.
 * @throws RotaError HOST_LOGIN when the key can't be used, or there is none.
 */
export async function loginFor(node: Reach, agent: string | undefined): Promise<AnyAuthMethod[]> {
  const { identity, user: username } = node.ssh;
  if (identity) return [{ type: "publickey", username, key: await keyIn(identity, node) }];
  const { identities } = node.configured ?? {};
  const found = identities
    ? await loginsByConfig(username, identities)
    : { methods: byAgent(username, agent) };
  if (found.methods.length > 0) return found.methods;
  const [locked] = "locked" in found ? found.locked : [];
  throw new RotaError("HOST_LOGIN", {
    problem: `there is no key to log in to ${node.name} with: no ssh.identity in the inventory, no agent in $SSH_AUTH_SOCK${identities ? ", and no key file of ssh's configuration that can be used" : ""}${locked === undefined ? "" : ` (${locked} is protected by a passphrase)`}`,
    next: `eval "$(ssh-agent)" && ssh-add${locked === undefined ? "" : ` ${shellQuote(locked)}`}, or name a key file with ssh.identity`,
  });
}

const byAgent = (username: string, agent: string | undefined): AnyAuthMethod[] =>
  agent ? [{ type: "agent", username, agent }] : [];

async function keyIn(identity: string, node: Reach): Promise<Buffer> {
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
  if (key instanceof Error && isLocked(key)) {
    const next = `ssh-add ${shellQuote(path)}, and take ssh.identity out of the inventory, so that the agent is asked`;
    throw unusable("is protected by a passphrase", next, key);
  }
  if (key instanceof Error || !key.isPrivateKey()) {
    throw unusable("is not a private key", "name the private key, not the .pub file, with ssh.identity", key);
  }
  return text;
}

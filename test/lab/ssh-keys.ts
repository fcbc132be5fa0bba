import { execFile } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** Makes an ed25519 key without a passphrase; the public half lies beside it, with `.pub`. */
export async function makeKey(path: string): Promise<string> {
  await promisify(execFile)("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", path]);
  return path;
}

/** A line of known_hosts for the host key at `path`. */
export async function knownHostsLine(
  { host, port, hashed }: { host: string; port: number; hashed: boolean },
  path: string,
): Promise<string> {
  const name = `[${host}]:${port}`;
  const [type, key] = (await readFile(`${path}.pub`, "utf8")).split(" ");
  return `${hashed ? hashOf(name) : name} ${type} ${key}`;
}

/** As ssh-keygen -H writes it. */
function hashOf(name: string): string {
  const salt = randomBytes(20);
  const hash = createHmac("sha1", salt).update(name).digest("base64");
  return `|1|${salt.toString("base64")}|${hash}`;
}

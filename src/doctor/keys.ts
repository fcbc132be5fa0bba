/** The files that people log in with: their mode and their age. A host's key tells nothing of its own age. */
import { stat } from "node:fs/promises";
import { userInfo } from "node:os";
import { type Finding, about } from "./findings.ts";

export interface KeyFile {
  path: string;
  /** Undefined where there is none, or it can't be looked at. */
  file: { mode: number; changed: Date; mine: boolean } | undefined;
}

/**
 * @param named by the inventory
 * @param usual that ssh would try: one that is not there is no fault
 */
export async function keyFacts(named: string[], usual: string[]): Promise<KeyFile[]> {
  const files = await Promise.all([...new Set([...named, ...usual])].map(keyFile));
  return files.filter(({ path, file }) => file !== undefined || named.includes(path));
}

async function keyFile(path: string): Promise<KeyFile> {
  const file = await stat(path).catch(() => undefined);
  const mine = file?.uid === userInfo().uid;
  return { path, file: file && { mode: file.mode & 0o777, changed: file.mtime, mine } };
}

/** Milliseconds. */
const old = 2 * 365 * 86_400_000;

export function judgeKey({ path, file }: KeyFile, today: Date): Finding[] {
  const say = about("hosts", path);
  if (!file)
    return [
      say.bad(
        "key-file",
        "is not there, or can't be read",
        "ssh.identity in the inventory names another file; or copy the key here",
      ),
    ];
  const found: Finding[] = [];
  if (file.mine && (file.mode & 0o077) !== 0)
    found.push(
      say.warn(
        "key-mode",
        `can be read by others (mode ${file.mode.toString(8).padStart(4, "0")}); ssh itself refuses such a key`,
        `chmod 600 ${path}`,
      ),
    );
  const years = (today.getTime() - file.changed.getTime()) / (365 * 86_400_000);
  if (today.getTime() - file.changed.getTime() > old)
    found.push(
      say.warn(
        "key-age",
        `was made ${Math.floor(years)} years ago, by the time of its file`,
        "a new key (ssh-keygen -t ed25519), on the hosts beside the old one; then the old one away",
      ),
    );
  return found.length > 0
    ? found
    : [say.ok("key-file", "is a key file that is yours alone, and younger than 2 years")];
}

/** What a person does with a `next:` line: its first command is cut out, and typed as it stands. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** A command of this machine, of rota, or "the same …", which is the last command once more. */
const begins =
  /(?<=^|[\s(])(?:rota(?= (?:--version|status|show|runs|plan|deploy|resume|rollback|abort|drain|ready|rotate|unlock|pause|doctor)\b)|ssh(?:-keygen)?(?= -)|the same (?:again|with))/;

/** Up to the comma, the semicolon, "or" or the bracket that ends it, where none of them is quoted. */
export function firstCommand(next: string): string {
  const begun = begins.exec(next);
  if (!begun) throw new Error(`nothing can be typed: ${next}`);
  const text = next.slice(begun.index);
  const [whole = ""] = /^(?:'[^']*'|"[^"]*"|\\.|(?![,;](?: |$)| or |\)|: )[^'"\\])+/.exec(text) ?? [];
  return whole.trim();
}

/** As a shell takes it apart. */
export async function wordsIn(command: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)("sh", ["-fc", `printf '%s\\0' ${command}`]);
  return stdout.split("\0").slice(0, -1);
}

/** ssh as a person types it, who says yes to the host's key. */
export async function typeElsewhere(command: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "rota-yes-"));
  const yes = join(folder, "yes");
  await writeFile(yes, "#!/bin/sh\necho yes\n", { mode: 0o700 });
  const env = { ...process.env, SSH_ASKPASS: yes, SSH_ASKPASS_REQUIRE: "force", DISPLAY: ":0" };
  try {
    await promisify(execFile)("sh", ["-c", command], { env, timeout: 20_000 });
    return 0;
  } catch {
    return 1;
  } finally {
    await rm(folder, { recursive: true });
  }
}

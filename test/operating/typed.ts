/** What a person does with a `next:` line: its first command is cut out, and typed as it stands. */
import { execFile } from "node:child_process";
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

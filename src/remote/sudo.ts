import type { Client } from "ssh2";
import { sayDuration } from "../base/duration.ts";
import { RotaError } from "../base/errors.ts";
import { printable } from "../base/quote.ts";
import type { Node } from "../inventory/fleet.ts";
import type { As } from "./script.ts";

/**
 * Asks sudo(8) for nothing, before the node is touched. A password that it refuses must not be followed by a script,
 * which sudo would take for more passwords: so it is followed by the end of its input.
 *
 * @param within Milliseconds.
 * @throws RotaError HOST_LOGIN with what sudo says
 */
export async function seeThatSudoWorks(node: Node, client: Client, as: As, within: number): Promise<void> {
  const byPassword = typeof as !== "string";
  const said = await answerOf(client, byPassword ? `sudo -k -S -p "" /bin/sh -c :` : "sudo -n /bin/sh -c :", {
    input: byPassword ? `${as.rootBy}\n` : "",
    within,
  });
  if (said === undefined) return;
  const { user } = node.ssh;
  const next = byPassword
    ? "the right password; or let nobody be asked for one, with NOPASSWD in sudoers"
    : `on ${node.name}: visudo, with a line such as "${user} ALL=(root) NOPASSWD: /bin/sh"; or ssh: { sudo: password }`;
  throw new RotaError("HOST_LOGIN", { problem: `${user} may not use sudo on ${node.name}: ${said}`, next });
}

/** Undefined for exit code 0. */
function answerOf(
  client: Client,
  command: string,
  { input, within }: { input: string; within: number },
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(`no answer within ${sayDuration(within)}`), within);
    const end = (said: string | undefined): void => {
      clearTimeout(late);
      resolve(said);
    };
    client.exec(command, (error, channel) => {
      if (error) return end(printable(error.message));
      let text = "";
      const gather = (chunk: Buffer): void => void (text = (text + chunk.toString()).slice(0, 500));
      channel.on("data", gather).stderr.on("data", gather);
      channel.on("error", () => {});
      channel.once("close", (code?: number | null) => {
        const lines = text.split("\n").map((line) => printable(line.trim()));
        end(code === 0 ? undefined : lines.filter(Boolean).join("; ") || `exit code ${code ?? "unknown"}`);
      });
      channel.end(input);
    });
  });
}

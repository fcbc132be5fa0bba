import { execFile } from "node:child_process";
import { messageOf, RotaError } from "../base/errors.ts";
import { printable, typedWord } from "../base/quote.ts";
import type { SshHost } from "../inventory/fleet.ts";
import { type SshSays, questionAbout, readAnswer } from "./ssh-config.ts";
import { codeOf } from "./unreachable.ts";

/** Milliseconds: a `Match exec` of the configuration runs meanwhile. */
const within = 10_000;
const longestAnswer = 256 * 1024;

/**
 * Asks ssh(1) what its configuration says about a host. Undefined where there is no such program.
 *
 * @param file its configuration, where that is not the usual one
 * @throws RotaError SSH_CONFIG with what it says itself
 */
export function askSsh(host: SshHost, file: string | undefined): Promise<SshSays | undefined> {
  return new Promise((resolve, reject) => {
    const words = questionAbout(host, file);
    const child = execFile(
      "ssh",
      words,
      { timeout: within, killSignal: "SIGKILL", maxBuffer: longestAnswer },
      (failure, stdout, stderr) => {
        if (failure && codeOf(failure) === "ENOENT") return resolve(undefined);
        const said = failure ? undefined : readAnswer(stdout);
        if (said) return resolve(said);
        const lines = stderr.split("\n").map((line) => printable(line.trim()));
        const late = failure?.killed && `no answer within ${within / 1000} s`;
        const why = late || lines.filter(Boolean).slice(0, 3).join("; ") || messageOf(failure ?? "no answer");
        reject(
          new RotaError("SSH_CONFIG", {
            problem: `ssh can't say how ${host.name} is reached: ${why}`,
            next: `ssh ${words.map(typedWord).join(" ")}, and mend what it names; or ROTA_SSH_CONFIG=none, and go by the inventory alone`,
            cause: failure,
          }),
        );
      },
    );
    child.stdin?.end();
  });
}

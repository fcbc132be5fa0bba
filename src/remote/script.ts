import { randomBytes } from "node:crypto";
import { shellQuote } from "../base/quote.ts";

/**
 * The one command line that rota ever asks a host for. Everything else travels on stdin, so that no value
 * shows in a process list and no quoting meets the login shell.
 *
 * Stdin is an end mark on a line of its own, the script, and the mark again. The script is run only if the
 * second mark arrived: half a script, left by a cut connection, runs not at all. The mark is random, so no
 * text inside the script can be taken for it. What comes before the mark is a password that sudo did not ask for.
 *
 * One line without backslash, exclamation mark and inner quote, which sh, csh and fish read differently.
 * `exec`, or a script killed by a signal would end as the login shell's exit code 137.
 * `eval` comes last and in no condition, or `-e` would not hold inside it. 75 is EX_TEMPFAIL of sysexits(3).
 */
const shell = [
  "/bin/sh -euc 'rota_end=",
  "while IFS= read -r rota_end; do case $rota_end in rota-end-*) break;; esac; done",
  "rota_script=$(cat)",
  'case "$rota_script" in *?"$rota_end") ;; *) echo "rota: the script did not arrive whole; nothing was run" >&2; exit 75;; esac',
  'rota_script=${rota_script%"$rota_end"}',
  `eval "unset rota_end rota_script; $rota_script"' rota`,
].join("; ");

/** Whose rights a script has; `rootBy` is the password that sudo(8) wants. */
export type As = "itself" | "root" | { rootBy: string };

/**
 * Under sudo(8) it is the same shell that reads the script, so that variables need not pass sudo's env_reset. -k has
 * the password asked for each time, also where sudo remembers one: it must never be left for the shell to read.
 */
export function remoteCommand(as: As): string {
  if (as === "itself") return `exec ${shell}`;
  return as === "root" ? `exec sudo -n ${shell}` : `exec sudo -k -S -p "" ${shell}`;
}

/**
 * What {@link remoteCommand} is given on stdin.
 *
 * @throws RangeError for a variable's name that no shell takes, and for a NUL byte in a value or the script.
 */
export function scriptOnStdin(script: string, variables: Record<string, string>, as: As = "itself"): string {
  if (script.includes("\0")) throw new RangeError("a script can't hold a NUL byte");
  const mark = `rota-end-${randomBytes(16).toString("hex")}`;
  const exports = Object.entries(variables).map(exported);
  return [...passwordOf(as), mark, ...exports, script, mark].join("\n");
}

function exported([name, value]: [string, string]): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new RangeError(`${JSON.stringify(name)} can't be the name of a variable`);
  }
  return `export ${name}=${shellQuote(value)}`;
}

const passwordOf = (as: As): string[] => (typeof as === "string" ? [] : [as.rootBy]);

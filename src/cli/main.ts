/** The command line. Each command is a module that is loaded when it runs: help costs nothing but commander. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "@commander-js/extra-typings";
import { commandsOf } from "./define.ts";
import { defineChanges } from "./define-changes.ts";
import { defineConsole } from "./define-console.ts";
import { defineDrafts } from "./define-drafts.ts";
import { defineRest } from "./define-rest.ts";
import { defineRuns } from "./define-runs.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { showError } from "./show-error.ts";

/** Never throws; what went wrong has been said when it returns. */
export async function main(argv: string[], io: Io): Promise<ExitCode> {
  let code: ExitCode = Exit.ok;
  const ends = (result: ExitCode): void => void (code = result);
  try {
    await program(io, ends).parseAsync(argv, { from: "user" });
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? Exit.ok : Exit.usage;
    return showError(thrown, io, argv.includes("--json"));
  }
}

const version = (): string => {
  const { version: own }: { version: string } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  return own;
};

/** The command line, as it is defined. */
export function program(io: Io, ends: (code: ExitCode) => void): Command {
  const rota = new Command("rota")
    .description(
      "Rolling deploys over app nodes behind HAProxy:\none node at a time out, restarted, proven and back, and no request lost.",
    )
    .version(version(), "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
      outputError: usageError("rota --help, or rota COMMAND --help"),
    })
    .configureHelp({
      showGlobalOptions: false,
      // Without commander's "(default: [])".
      optionDescription: ({ description }) => description,
    })
    .showSuggestionAfterError()
    .addHelpText("after", overview);

  const command = commandsOf(rota);
  defineChanges(command, io, ends);
  defineRuns(command, io, ends);
  defineConsole(rota, command, io, ends);
  defineDrafts(rota, io, ends);
  defineRest(rota, io, ends);
  for (const one of rota.commands)
    one.configureOutput({ outputError: usageError(`rota ${one.name()} --help`) });
  return rota;
}

/** What commander has found wrong, and what to type next. */
const usageError =
  (next: string) =>
  (text: string, write: (said: string) => void): void =>
    write(`rota: ${text.trim().replace(/^error: /, "")}\n  next:  ${next}`);

const overview = `
Nodes are names, globs ('web*') or @pool; none means all (for drain, ready and rotate: name them).

Examples:
  rota init --socket ADDRESS -o shop.yml          a first inventory, from a running HAProxy
  rota plan                                       what a deploy would do
  rota deploy --set RELEASE=42                    do it
  rota doctor                                     what would hurt it
  rota status                                     who serves, who is out and why
  rota drain web3 --reason "disk swap" --for 30m  one node out by hand
  rota ready web3                                 and back, proven first

Environment:
  ROTA_INVENTORY      the inventory, where no -i is given
  ROTA_JOURNAL        where runs are recorded: sqlite:/path, or postgres://user@host/database for a team
  ROTA_SUDO_PASSWORD  the password for ssh.sudo: password, instead of being asked
  ROTA_SSH_CONFIG     ssh's configuration, instead of ~/.ssh/config; none: the inventory alone counts
  ROTA_BY             who does this, in the journal; else user@host, and the CI job
  ROTA_METRICS        a file that each run writes when it ends, for Prometheus' node_exporter
  SSH_AUTH_SOCK       the agent whose keys are used
  NO_COLOR            no colours

Exit codes: 0 done · 1 a node failed, the rest serve · 2 command line or inventory wrong ·
  3 refused, nothing was touched · 4 interrupted · 70 a defect of rota`;

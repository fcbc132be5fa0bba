/** The command line. Each command is a module that is loaded when it runs: help costs nothing but commander. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "@commander-js/extra-typings";
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

function program(io: Io, ends: (code: ExitCode) => void): Command {
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
      outputError: (text, write) =>
        write(`rota: ${text.trim().replace(/^error: /, "")}\n  next:  rota --help, or rota COMMAND --help`),
    })
    .configureHelp({ showGlobalOptions: false })
    .showSuggestionAfterError()
    .addHelpText("after", overview);

  const collect = (word: string, before: string[]): string[] => [...before, word];

  command("deploy [nodes...]", "roll a release over the fleet, batch by batch")
    .option("--set <KEY=VALUE>", "a variable for the commands and the check; again for more", collect, [])
    .option("--batch <N|N%>", "nodes out at once, instead of the inventory's")
    .option("--min-serving <N|N%>", "servers that must serve, instead of the inventory's")
    .option("--max-failures <N>", "nodes of the run that may fail before it stops")
    .option("--skip <node>", "leave this node (or glob, or @pool) alone; again for more", collect, [])
    .option("--include-down", "take along nodes that are down; they go first")
    .option("--include-held", "take along nodes that somebody keeps out, and leave them out")
    .option("--dry-run", "end after the plan and a connection to every host")
    .option("--reason <text>", "why, for the journal")
    .option("--wait <duration>", waitHelp)
    .option("--grace <duration>", graceHelp)
    .option("-y, --yes", "don't ask")
    .option("--force", "go past the capacity guard")
    .option("--json", "the events as NDJSON on stdout")
    .addHelpText(
      "after",
      examples(
        ["rota deploy --set RELEASE=42", "the whole fleet"],
        ["rota deploy web1 'api*' --set RELEASE=42", "these nodes"],
        ["rota deploy @web --set RELEASE=42 --batch 25%", "a pool, a quarter at once"],
        ["rota deploy --set RELEASE=42 --dry-run", "touches nothing"],
      ),
    )
    .action(async (nodes, options) =>
      ends(await (await import("./deploy.ts")).deploy({ ...options, nodes }, io)),
    );

  command("plan [nodes...]", "what deploy would do: order, batches, who serves, who is left alone")
    .option("--set <KEY=VALUE>", "as for deploy; not needed for a plan", collect, [])
    .option("--batch <N|N%>", "nodes out at once, instead of the inventory's")
    .option("--min-serving <N|N%>", "servers that must serve, instead of the inventory's")
    .option("--max-failures <N>", "nodes of the run that may fail before it stops")
    .option("--skip <node>", "leave this node (or glob, or @pool) alone; again for more", collect, [])
    .option("--include-down", "take along nodes that are down")
    .option("--include-held", "take along nodes that somebody keeps out")
    .option("--json", "the plan as JSON")
    .addHelpText(
      "after",
      examples(
        ["rota plan", "the whole fleet; touches nothing, contacts no host"],
        ["rota plan @web --batch 25%", "a pool, a quarter at once"],
      ),
    )
    .action(async (nodes, options) =>
      ends(await (await import("./plan.ts")).plan({ ...options, nodes }, io)),
    );

  command("status [nodes...]", "the fleet as every balancer sees it, and who is out and why")
    .option("--json", "as JSON")
    .addHelpText("after", examples(["rota status", "every node"], ["rota status 'web*'", "these nodes"]))
    .action(async (nodes, options) =>
      ends(await (await import("./status.ts")).status({ ...options, nodes }, io)),
    );

  command("drain <nodes...>", "take nodes out of rotation by hand, and hold them there")
    .option("--reason <text>", "why, for whoever finds the node out (needed)")
    .option("--wait <duration>", waitHelp)
    .option("--grace <duration>", graceHelp)
    .option("--for <duration>", "how long it is meant to stay out: 30m, 2h; it never comes back by itself")
    .option("-y, --yes", "don't ask")
    .option("--force", "go past the capacity guard")
    .option("--json", "the events as NDJSON on stdout")
    .addHelpText(
      "after",
      examples(
        ['rota drain web3 --reason "disk swap" --for 30m', "out, once its sessions have ended"],
        ["rota ready web3", "back, once it is proven"],
      ),
    )
    .action(async (nodes, options) =>
      ends(await (await import("./drain.ts")).drain({ ...options, nodes }, io)),
    );

  command("ready <nodes...>", "put nodes back into rotation by hand, proven first")
    .option("--set <KEY=VALUE>", "a variable for the check, where its last deploy is not right", collect, [])
    .option("--reason <text>", "why, for the journal")
    .option("--wait <duration>", waitHelp)
    .option("--grace <duration>", graceHelp)
    .option("-y, --yes", "don't ask")
    .option("--json", "the events as NDJSON on stdout")
    .addHelpText(
      "after",
      examples(["rota ready web3", "its check passes, HAProxy's check passes, then traffic"]),
    )
    .action(async (nodes, options) =>
      ends(await (await import("./ready.ts")).ready({ ...options, nodes }, io)),
    );

  command("rotate <nodes...>", "drain, restart, check and put back, without an upgrade")
    .option("--set <KEY=VALUE>", "a variable, where that of its last deploy is not right", collect, [])
    .option("--include-held", "restart also a node that somebody keeps out, and leave it out")
    .option("--reason <text>", "why, for the journal")
    .option("--wait <duration>", waitHelp)
    .option("--grace <duration>", graceHelp)
    .option("-y, --yes", "don't ask")
    .option("--force", "go past the capacity guard")
    .option("--json", "the events as NDJSON on stdout")
    .addHelpText(
      "after",
      examples(
        ['rota rotate web3 --reason "leaks memory"', "one node"],
        ["rota rotate @web", "a pool, one after the other"],
      ),
    )
    .action(async (nodes, options) =>
      ends(await (await import("./rotate.ts")).rotate({ ...options, nodes }, io)),
    );

  command("runs", "the history: who did what, when, why, and how it ended")
    .option("--limit <N>", "so many, the newest first (20)")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      examples(["rota runs", "of every fleet in the journal"], ["rota runs -i shop.yml", "of one"]),
    )
    .action(async (options) => ends(await (await import("./history.ts")).runs(options, io)));

  rota
    .command("show <run> [node]")
    .description("one run with the time of each step; one node of it with the output of its commands")
    .option("--json", "as JSON")
    .helpOption("-h, --help", "print this help")
    .addHelpText(
      "after",
      examples(
        ["rota show last", "the last run"],
        ["rota show 7f3a", "the run whose id begins so"],
        ["rota show last web3", "one node, and all that its commands printed"],
      ),
    )
    .action(async (run, node, options) =>
      ends(await (await import("./history.ts")).show({ ...options, run, node }, io)),
    );

  rota
    .command("prune")
    .description("remove old runs from the journal, but for what somebody may still need")
    .requiredOption("--older-than <duration>", "runs that ended longer ago: 90d")
    .option("--json", "as JSON")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", examples(["rota prune --older-than 90d", "last good deploys and open runs stay"]))
    .action(async (options) => ends(await (await import("./prune.ts")).prune(options, io)));

  command("unlock", "end the lease of a fleet by hand, after showing whose it is")
    .option("-y, --yes", "don't ask")
    .option("--json", "as JSON")
    .addHelpText("after", examples(["rota unlock", "only if its holder is gone for good"]))
    .action(async (options) => ends(await (await import("./unlock.ts")).unlock(options, io)));

  return rota;

  function command<const Usage extends string>(usage: Usage, description: string) {
    return rota
      .command(usage)
      .description(description)
      .option(
        "-i, --inventory <file>",
        "the inventory; else $ROTA_INVENTORY, else the only inventories/*.yml",
      )
      .helpOption("-h, --help", "print this help");
  }
}

const graceHelp =
  "after a signal: stop at the next safe point when this is over, for CI systems that kill soon (8s)";
const waitHelp = "where somebody else changes the fleet: wait so long for them (10m)";

const overview = `
Nodes are names, globs ('web*') or @pool; none means all (for drain, ready and rotate: name them).

Examples:
  rota plan                                       what a deploy would do
  rota deploy --set RELEASE=42                    do it
  rota status                                     who serves, who is out and why
  rota drain web3 --reason "disk swap" --for 30m  one node out by hand
  rota ready web3                                 and back, proven first

Exit codes: 0 done · 1 a node failed, the rest serve · 2 command line or inventory wrong ·
  3 refused, nothing was touched · 4 interrupted · 70 a defect of rota`;

function examples(...lines: [command: string, what: string][]): string {
  const width = Math.max(...lines.map(([line]) => line.length));
  return `\nExamples:\n${lines.map(([line, what]) => `  ${line.padEnd(width)}  ${what}`).join("\n")}`;
}

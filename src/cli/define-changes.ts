/** deploy, plan, status, and the commands by hand. */
import type { Io } from "./io.ts";
import {
  asking,
  type DefineCommand,
  type Ends,
  collect,
  examples,
  graceHelp,
  tolerateHelp,
  waitHelp,
} from "./define.ts";

export function defineChanges(command: DefineCommand, io: Io, ends: Ends): void {
  command("deploy [nodes...]", "roll a release over the fleet, batch by batch")
    .option("--set <KEY=VALUE>", "a variable for the commands and the check; again for more", collect, [])
    .option(
      "--batch <N|N%|list>",
      "nodes out at once, instead of the inventory's; 1,25%,50%: the last repeats",
    )
    .option("--min-serving <N|N%>", "servers that must serve, instead of the inventory's")
    .option("--max-failures <N>", "nodes of the run that may fail before it stops")
    .option("--skip <node>", "leave this node (or glob, or @pool) alone; again for more", collect, [])
    .option("--include-down", "take along nodes that are down; they go first")
    .option("--include-held", "take along nodes that somebody keeps out, and leave them out")
    .option("--dry-run", "end after the plan and a connection to every host")
    .option("--reason <text>", "why, for the journal")
    .option("--tolerate <balancer>", tolerateHelp, collect, [])
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
      ends(await asking(await (await import("./deploy.ts")).deploy({ ...options, nodes }, io), options, io)),
    );

  command("plan [nodes...]", "what deploy would do: order, batches, who serves, who is left alone")
    .option("--set <KEY=VALUE>", "as for deploy; not needed for a plan", collect, [])
    .option(
      "--batch <N|N%|list>",
      "nodes out at once, instead of the inventory's; 1,25%,50%: the last repeats",
    )
    .option("--min-serving <N|N%>", "servers that must serve, instead of the inventory's")
    .option("--max-failures <N>", "nodes of the run that may fail before it stops")
    .option("--skip <node>", "leave this node (or glob, or @pool) alone; again for more", collect, [])
    .option("--include-down", "take along nodes that are down")
    .option("--include-held", "take along nodes that somebody keeps out")
    .option("--tolerate <balancer>", tolerateHelp, collect, [])
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
    .option("-w, --watch", "live, until Ctrl-C: one question a balancer each second")
    .option("--json", "as JSON; with --watch one line a look")
    .addHelpText(
      "after",
      examples(
        ["rota status", "every node"],
        ["rota status 'web*'", "these nodes"],
        ["rota status --watch", "a live board; in a pipe one line for each change"],
      ),
    )
    .action(async (nodes, options) =>
      ends(await (await import("./status.ts")).status({ ...options, nodes }, io)),
    );

  command(
    "doctor [nodes...]",
    "can every socket, host and page be reached, with the rights needed; and what will hurt",
  )
    .option("--json", "every finding as JSON")
    .addHelpText(
      "after",
      examples(
        ["rota doctor", "the whole fleet; changes nothing anywhere"],
        ["rota doctor @web", "one pool, and its balancers"],
        [
          "rota doctor --json | jq '.findings[] | select(.verdict == \"bad\")'",
          "ends with 3 where any is bad",
        ],
      ),
    )
    .action(async (nodes, options) =>
      ends(await (await import("./doctor.ts")).doctor({ ...options, nodes }, io)),
    );

  command("drain <nodes...>", "take nodes out of rotation by hand, and hold them there")
    .option("--reason <text>", "why, for whoever finds the node out (needed)")
    .option("--tolerate <balancer>", tolerateHelp, collect, [])
    .option("--wait <duration>", waitHelp)
    .option("--grace <duration>", graceHelp)
    .option(
      "--for <duration>",
      "how long it is meant to stay out, such as 30m; it never comes back by itself",
    )
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
    .option("--tolerate <balancer>", tolerateHelp, collect, [])
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
    .option("--tolerate <balancer>", tolerateHelp, collect, [])
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
      ends(await asking(await (await import("./rotate.ts")).rotate({ ...options, nodes }, io), options, io)),
    );
}

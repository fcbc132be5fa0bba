/** What is done with runs, and with the lease. */
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

export function defineRuns(command: DefineCommand, io: Io, ends: Ends): void {
  command("resume [run]", "go on with a run: half-done nodes first, then the rest")
    .option("--retry", "try the nodes that failed again; one that soaked badly is watched again")
    .option("--skip <node>", "leave this node (or glob, or @pool) as it is; again for more", collect, [])
    .option("--reason <text>", "why, for the journal")
    .option("--tolerate <balancer>", tolerateHelp, collect, [])
    .option("--wait <duration>", waitHelp)
    .option("--grace <duration>", graceHelp)
    .option("-y, --yes", "don't ask")
    .option("--json", "the events as NDJSON on stdout")
    .addHelpText(
      "after",
      examples(
        ["rota resume", "the last run of the fleet, also one that is paused"],
        ["rota resume 7f3a --retry", "the node that failed is tried again"],
        ["rota resume 7f3a --skip web3", "or left as it is"],
      ),
    )
    .action(async (run, options) =>
      ends(await asking(await (await import("./resume.ts")).resume({ ...options, run }, io), options, io)),
    );

  command("abort [run]", "close a run: what is proven stays in, what it took out stays out, held")
    .option("--reason <text>", "why, for the journal")
    .option("--tolerate <balancer>", tolerateHelp, collect, [])
    .option("--wait <duration>", waitHelp)
    .option("-y, --yes", "don't ask")
    .option("--json", "as JSON")
    .addHelpText("after", examples(["rota abort", "the last run of the fleet"]))
    .action(async (run, options) => ends(await (await import("./abort.ts")).abort({ ...options, run }, io)));

  command("rollback [run]", "put back what each node ran before a deploy")
    .option("--skip <node>", "leave this node (or glob, or @pool) as it is; again for more", collect, [])
    .option("--retry", "also where nobody knows whether the upgrade has ended")
    .option("--batch <N|N%|list>", "nodes out at once, instead of the inventory's last")
    .option("--min-serving <N|N%>", "servers that must serve, instead of the inventory's")
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
        ["rota rollback", "undo the last deploy of the fleet; shows the plan first"],
        ["rota rollback 7f3a", "undo this run, also one that was stopped or aborted"],
        ["rota rollback --dry-run", "which node would go back to what; touches nothing"],
      ),
    )
    .action(async (run, options) =>
      ends(
        await asking(await (await import("./rollback.ts")).rollback({ ...options, run }, io), options, io),
      ),
    );

  command("pause", "the run under way starts no other node until it is resumed")
    .option("--reason <text>", "why, for the journal")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      examples(["rota pause", "from another terminal"], ["rota resume", "and it goes on"]),
    )
    .action(async (options) => ends(await (await import("./pause.ts")).pause(options, io)));

  command("runs", "the history: who did what, when, why, and how it ended")
    .option("--limit <N>", "so many, the newest first; 20 without it")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      examples(["rota runs", "of every fleet in the journal"], ["rota runs -i shop.yml", "of one"]),
    )
    .action(async (options) => ends(await (await import("./history.ts")).runs(options, io)));

  command(
    "show <run> [node]",
    "one run with the time of each step; one node of it with the output of its commands",
  )
    .option("--json", "as JSON")
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

  command("prune", "remove old runs of every fleet from the journal, but for what somebody may still need")
    .requiredOption("--older-than <duration>", "runs that ended longer ago than this, such as 90d (needed)")
    .option("--json", "as JSON")
    .addHelpText("after", examples(["rota prune --older-than 90d", "last good deploys and open runs stay"]))
    .action(async (options) => ends(await (await import("./prune.ts")).prune(options, io)));

  command("unlock", "end the lease of a fleet by hand, after showing whose it is")
    .option("--reason <text>", "why, for the journal")
    .option("-y, --yes", "don't ask")
    .option("--json", "as JSON")
    .addHelpText("after", examples(["rota unlock", "only if its holder is gone for good"]))
    .action(async (options) => ends(await (await import("./unlock.ts")).unlock(options, io)));

  command("hooks [name]", "print a file that a node needs; without a name, which there are")
    .addHelpText(
      "after",
      examples(
        ["rota hooks gunicorn > gunicorn_rota.py", "then: gunicorn -c gunicorn_rota.py ..."],
        ["rota hooks gunicorn-roll > roll.py", "then: python3 roll.py PID"],
        ["rota hooks uwsgi-roll > roll.py", "then: python3 roll.py --stats SOCKET"],
      ),
    )
    .action(async (name) => ends((await import("./hooks.ts")).printHook(name, io)));
}

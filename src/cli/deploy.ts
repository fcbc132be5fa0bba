import { rotateNode } from "../rotation/node.ts";
import type { PlanOptions } from "../rotation/plan/plan.ts";
import { type ChangeArgs, change } from "./change.ts";
import type { ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { rollBackNow } from "./on-failure.ts";
import { type RolloutArgs, rolloutOptions } from "./rollout-options.ts";
import { openSite } from "./site.ts";
import { checkNeeds, variablesOf } from "./variables.ts";
import { commandLine, readSet } from "./words.ts";

export async function deploy(args: RolloutArgs & ChangeArgs, io: Io): Promise<ExitCode> {
  const set = readSet(args.set);
  const options = rolloutOptions(args);
  const site = openSite(args, io);
  checkNeeds(site.fleet, site.nodes, set);
  const variables: PlanOptions["variablesOf"] = (_, node) => variablesOf(node, set, site.fleet.name, io.env);
  const plan = { ...options(site), force: args.force === true, variablesOf: variables };
  const again = commandLine(wordsOf(args));
  const work = { command: "deploy", site, args, set, travel: rotateNode, again } as const;
  return change(
    {
      ...work,
      options: async () => plan,
      onFailure: (failed, means) => rollBackNow(failed, work, means, io),
    },
    io,
  );
}

const wordsOf = (args: RolloutArgs & ChangeArgs): string[] => [
  "deploy",
  ...args.nodes,
  ...(args.inventory === undefined ? [] : ["-i", args.inventory]),
  ...args.set.flatMap((pair) => ["--set", pair]),
  ...(args.batch === undefined ? [] : ["--batch", args.batch]),
  ...(args.minServing === undefined ? [] : ["--min-serving", args.minServing]),
  ...(args.maxFailures === undefined ? [] : ["--max-failures", args.maxFailures]),
  ...args.skip.flatMap((node) => ["--skip", node]),
  ...(args.tolerate ?? []).flatMap((name) => ["--tolerate", name]),
  ...(args.includeDown ? ["--include-down"] : []),
  ...(args.includeHeld ? ["--include-held"] : []),
];

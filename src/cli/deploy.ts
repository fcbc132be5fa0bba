import { rotateNode } from "../rotation/node.ts";
import type { PlanOptions } from "../rotation/plan/plan.ts";
import { type ChangeArgs, change } from "./change.ts";
import type { ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { rollBackNow } from "./on-failure.ts";
import { mustBeSame, namesIn, releasesOf } from "./releases.ts";
import { type RolloutArgs, rolloutOptions, skippedBy } from "./rollout-options.ts";
import { openSite } from "./site.ts";
import { checkNeeds, variablesOf } from "./variables.ts";
import { waysBack } from "./way-back.ts";
import { commandLine, readSet } from "./words.ts";

interface DeployArgs extends RolloutArgs, ChangeArgs {
  /** Names of the releases that a run began with; set by a resume. */
  releases?: string[] | undefined;
}

export async function deploy(args: DeployArgs, io: Io): Promise<ExitCode> {
  const set = readSet(args.set);
  const options = rolloutOptions(args);
  const site = openSite(args, io);
  checkNeeds(site.fleet, site.nodes, set);
  const variables: PlanOptions["variablesOf"] = (_, node) => variablesOf(node, set, site.fleet.name, io.env);
  const releases = await releasesOf(site, set, skippedBy(args, site.fleet), io);
  const names = namesIn(releases);
  mustBeSame(names, args.releases);
  const plan = {
    ...options(site),
    force: args.force === true,
    variablesOf: variables,
    releaseOf: ({ name }: { name: string }) => releases.get(name),
  };
  const again = commandLine(wordsOf(args));
  const begun = names.length > 0 ? { ...args, releases: names } : args;
  const work = { command: "deploy", site, args: begun, set, travel: rotateNode, again } as const;
  return change(
    {
      ...work,
      options: async (known) => {
        const back = await waysBack(site, known, io);
        return { ...plan, wayBackOf: ({ name }) => back.get(name) };
      },
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

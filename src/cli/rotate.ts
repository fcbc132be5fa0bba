import { rotateNode } from "../rotation/node.ts";
import { partOf } from "../rotation/plan/participation.ts";
import { type ChangeArgs, change } from "./change.ts";
import type { ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { withLastSet } from "./last-set.ts";
import { openSite } from "./site.ts";
import { commandLine, readSet } from "./words.ts";

export interface RotateArgs extends ChangeArgs {
  set: string[];
  includeHeld?: boolean | undefined;
}

/** Drain, restart, check, ready; no upgrade. */
export async function rotate(args: RotateArgs, io: Io): Promise<ExitCode> {
  const set = readSet(args.set);
  const site = openSite(args, io);
  const choice = { named: true, includeDown: true, includeHeld: args.includeHeld === true };
  const again = commandLine([
    "rotate",
    ...args.nodes,
    ...(args.inventory === undefined ? [] : ["-i", args.inventory]),
    ...args.set.flatMap((pair) => ["--set", pair]),
    ...(args.tolerate ?? []).flatMap((name) => ["--tolerate", name]),
    ...(args.includeHeld ? ["--include-held"] : []),
  ]);
  const options = withLastSet(site, set, io.env, {
    nodes: site.nodes,
    part: (_, entries, absence) => partOf(entries, absence, choice),
    errand: { upgrade: false, hostNeeded: true, hold: undefined },
    force: args.force === true,
  });
  return change({ command: "rotate", site, args, set, travel: rotateNode, options, again }, io);
}

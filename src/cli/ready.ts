import type { Node } from "../inventory/fleet.ts";
import { readyNode } from "../rotation/node.ts";
import { partToReady } from "../rotation/plan/participation.ts";
import { type ChangeArgs, change } from "./change.ts";
import type { ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { withLastSet } from "./last-set.ts";
import { openSite } from "./site.ts";
import { commandLine, readSet } from "./words.ts";

export interface ReadyArgs extends ChangeArgs {
  set: string[];
}

/** Back by hand, proven first. */
export async function ready(args: ReadyArgs, io: Io): Promise<ExitCode> {
  const set = readSet(args.set);
  const site = openSite(args, io);
  const leavesByPage = (node: Node): boolean =>
    site.fleet.pools.some(({ statusPage, nodes }) => statusPage && nodes.includes(node));
  const again = commandLine([
    "ready",
    ...args.nodes,
    ...(args.inventory === undefined ? [] : ["-i", args.inventory]),
    ...args.set.flatMap((pair) => ["--set", pair]),
    ...(args.tolerate ?? []).flatMap((name) => ["--tolerate", name]),
  ]);
  const options = withLastSet(site, set, io.env, {
    nodes: site.nodes,
    part: (node, entries, absence) => partToReady(entries, absence, leavesByPage(node)),
    errand: { upgrade: false, hostNeeded: false, hold: undefined },
    force: true, // it takes nothing out of rotation
  });
  return change({ command: "ready", site, args, set, travel: readyNode, options, again }, io);
}

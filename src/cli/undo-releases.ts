import { RotaError } from "../base/errors.ts";
import type { Node, Pool } from "../inventory/fleet.ts";
import type { Change, Known, SwitchRecord, WholeRun } from "../rotation/records.ts";
import { type NodeRelease, releaseAt } from "../rotation/release/release.ts";
import { lastGoodBefore } from "../rotation/undo.ts";
import { untouched } from "./refuse.ts";

/**
 * What the link of each node led to when it last ran well before a run; nothing for nodes of which no switch is known
 * since, whose link is as it was.
 *
 * @throws RotaError REFUSED for a node that had none
 */
export async function releasesBefore(
  { run, fleet }: WholeRun,
  nodes: { node: Node; pool: Pool }[],
  known: Known,
): Promise<Map<string, NodeRelease>> {
  const before = new Map<string, NodeRelease>();
  const changes = await known.changes(
    fleet,
    nodes.map(({ node }) => node.name),
  );
  for (const { node, pool } of nodes) {
    if (!pool.release) continue;
    const own = changes.filter((change) => change.node === node.name);
    const was = linkBefore(run, own, await known.switches(fleet, node.name));
    if (!was) continue;
    if (was.link === undefined)
      throw new RotaError("REFUSED", {
        problem: `${node.name} had no release before run ${run}: ${was.to}/current was not there`,
        left: untouched,
        next: "rota deploy of the release that it shall run",
      });
    before.set(node.name, releaseAt(was.to, was.link, pool.release.keep));
  }
  return before;
}

/**
 * Not simply what the run found: that may be a release that failed on the node before. What its last good run switched
 * to counts; else, where that found it there already, what the first run after it found.
 *
 * @param own changes of the node, @param switches of it: the newest first
 */
function linkBefore(
  run: string,
  own: Change[],
  switches: SwitchRecord[],
): { to: string; link: string | undefined } | undefined {
  const change = own.find((one) => one.run === run);
  const good = change && lastGoodBefore(change, own);
  const made = switches.find((one) => one.run === good?.run);
  if (made) return { to: made.to, link: made.after };
  const since = own.filter(({ began }) => change && began <= change.began && (!good || began >= good.began));
  const first = switches.findLast((one) => since.some((at) => at.run === one.run));
  return first && { to: first.to, link: first.before };
}

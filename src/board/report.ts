/** What a run came to, as lines for stdout. Pure. */
import { sayDuration } from "../base/duration.ts";
import type { RunState } from "../events/state.ts";
import { sayTimes } from "./board.ts";
import { columns, count } from "./width.ts";

export function reportLines({ command, fleet, run, end, ms, nodes, leftAlone, notices }: RunState): string[] {
  const travelled = [...nodes.values()].filter((node) => node.end !== undefined);
  const rows = travelled.map((node) => [
    `  ${node.name}`,
    node.end ?? "",
    node.outMs > 0 ? `out ${sayDuration(node.outMs)}` : "",
    [...(node.canary ? ["canary"] : []), sayTimes(node)].filter(Boolean).join(" · "),
  ]);
  return [
    `${command} ${fleet}: ${end ?? "unfinished"} in ${sayDuration(ms)}, ${travelled.length} of ${count(nodes.size, "node")} (run ${run})`,
    ...columns(rows),
    ...leftAlone.map(({ node, why }) => `  ${node} left alone: ${why}`),
    ...notices.map((text) => `  ! ${text}`),
  ];
}

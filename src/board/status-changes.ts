/** What changed between two looks at a fleet, a line each: for a watch that is not painted. Pure. */
import type { FleetStatus, NodeStatus } from "./fleet-status.ts";
import { stateOf } from "./status-table.ts";

export function statusChanges(before: FleetStatus, now: FleetStatus): string[] {
  const earlier = new Map(before.nodes.map((node) => [node.name, node]));
  const nodes = now.nodes.flatMap((node) => {
    const old = earlier.get(node.name);
    return old ? changesOf(old, node) : [];
  });
  const fresh = (of: (status: FleetStatus) => string[]): string[] =>
    of(now).filter((text) => !of(before).includes(text));
  const lease = (status: FleetStatus): string[] => status.lease?.replace(/, for \S+/, "").split("\n") ?? [];
  return [
    ...nodes,
    ...fresh(({ problems }) => problems).map((text) => `! ${text}`),
    ...fresh(({ drift }) => drift).map((text) => `~ ${text}`),
    ...fresh(({ unfinished }) => unfinished),
    ...fresh(lease).map((text) => `being changed by ${text}`),
    ...(before.lease !== undefined && now.lease === undefined ? ["no longer being changed"] : []),
  ];
}

function changesOf(before: NodeStatus, now: NodeStatus): string[] {
  const places = now.entries.flatMap((entry) => {
    const old = before.entries.find(
      (one) => one.balancer === entry.balancer && one.backend === entry.backend,
    );
    const [from, to] = [old ? stateOf(old, false) : "nothing", stateOf(entry, false)];
    return from === to ? [] : [`${now.name} ${entry.balancer}/${entry.backend}: ${from} → ${to}`];
  });
  return [
    ...(now.wrong !== undefined && now.wrong !== before.wrong ? [`! ${now.name} ${now.wrong}`] : []),
    ...places,
    ...(now.step !== undefined && now.step !== before.step ? [`${now.name} in hand: ${now.step}`] : []),
  ];
}

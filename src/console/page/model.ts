/** What the page knows, and how a message of the server changes it. Pure. */
import type { Message } from "../feed.ts";
import type { Begun } from "../started.ts";
import type { FleetView, NodeView, RunNodeView, RunView } from "../view.ts";

export interface Me {
  name: string;
  role: "viewer" | "operator";
  fleet: string;
  needs: string[];
  pools: string[];
}

export interface Model {
  fleet: FleetView | undefined;
  run: RunView | undefined;
  begun: Begun[];
  /** Why nothing new is known. */
  trouble: string | undefined;
  connected: boolean;
}

export const nothing: Model = {
  fleet: undefined,
  run: undefined,
  begun: [],
  trouble: undefined,
  connected: false,
};

export function changed(model: Model, message: Message): Model {
  const from = message.whole ? { ...nothing, begun: model.begun } : model;
  return {
    ...from,
    connected: true,
    trouble: message.trouble === undefined ? from.trouble : (message.trouble ?? undefined),
    fleet: fleetAfter(from.fleet, message),
    run: runAfter(from.run, message),
  };
}

function fleetAfter(before: FleetView | undefined, { fleet, nodes = [] }: Message): FleetView | undefined {
  const head = fleet ?? before;
  if (!head) return undefined;
  const names = fleet?.names ?? before?.nodes.map(({ name }) => name) ?? [];
  return { ...head, nodes: inOrder<NodeView>(names, before?.nodes ?? [], nodes) };
}

function runAfter(before: RunView | undefined, { run, runNodes = [] }: Message): RunView | undefined {
  if (run === null) return undefined;
  const head = run ?? before;
  if (!head) return undefined;
  const same = run === undefined || run.run === before?.run ? (before?.nodes ?? []) : [];
  const names = run?.names ?? same.map(({ name }) => name);
  return { ...head, nodes: inOrder<RunNodeView>(names, same, runNodes) };
}

function inOrder<T extends { name: string }>(names: string[], before: T[], now: T[]): T[] {
  const known = new Map([...before, ...now].map((one) => [one.name, one]));
  return names.flatMap((name) => known.get(name) ?? []);
}

/** "1m20s", "4.1s", "310ms" */
export function sayMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}m${seconds % 60 ? `${seconds % 60}s` : ""}`
    : `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}

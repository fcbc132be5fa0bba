/** What the page knows, and how a message of the server changes it. Pure. */
import type { About } from "../app.ts";
import type { Message } from "../changes.ts";
import type { Person } from "../people.ts";
import type { Begun } from "../started.ts";
import type { FleetView, NodeView, RunNodeView, RunView } from "../view.ts";

export type Me = Person & About;

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
  const from = message.whole ? nothing : model;
  const { trouble, begun = from.begun } = message;
  return {
    connected: true,
    trouble: trouble === undefined ? from.trouble : (trouble ?? undefined),
    fleet: fleetAfter(from.fleet, message),
    run: runAfter(from.run, message),
    begun,
  };
}

function fleetAfter(before: FleetView | undefined, { fleet, names, nodes }: Message): FleetView | undefined {
  const head = fleet ?? before;
  return head && { ...head, nodes: inOrder<NodeView>(names, before?.nodes ?? [], nodes) };
}

function runAfter(before: RunView | undefined, { run, runNames, runNodes }: Message): RunView | undefined {
  if (run === null) return undefined;
  const head = run ?? before;
  const known = head?.run === before?.run ? (before?.nodes ?? []) : [];
  return head && { ...head, nodes: inOrder<RunNodeView>(runNames, known, runNodes) };
}

function inOrder<T extends { name: string }>(names: string[] | undefined, before: T[], now: T[] = []): T[] {
  if (names === undefined && now.length === 0) return before;
  const known = new Map([...before, ...now].map((one) => [one.name, one]));
  return (names ?? before.map(({ name }) => name)).flatMap((name) => known.get(name) ?? []);
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

/** "2026-11-27 01:52:09Z" */
export const sayTime = (iso: string): string => `${iso.slice(0, 19).replace("T", " ")}Z`;

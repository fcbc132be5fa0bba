/** One look at the fleet for everybody who watches, at a pace that costs little; only what changed travels. */
import { performance } from "node:perf_hooks";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { FleetView, NodeView, RunNodeView, RunView } from "./view.ts";

/** Everything that a page needs to begin with, or what is other than before. */
export interface Message {
  /** The first one: all of it. */
  whole?: true;
  fleet?: Omit<FleetView, "nodes"> & { names: string[] };
  nodes?: NodeView[];
  run?: (Omit<RunView, "nodes"> & { names: string[] }) | null;
  runNodes?: RunNodeView[];
  /** Why nothing new is known; null: it is again. */
  trouble?: string | null;
}

export interface Picture {
  fleet: FleetView;
  run: RunView | undefined;
}

export interface Feed extends AsyncDisposable {
  /** Told all at once, then what changes. @returns what ends it */
  watch(listener: (message: string) => void): () => void;
  latest(): Picture | undefined;
  watchers(): number;
  /** Looks again now: something was done. */
  hurry(): void;
}

/** Milliseconds between two looks: with somebody watching, with nobody; and how much of a core they may take. */
const pace = { watched: 400, alone: 2_000, slowest: 5_000, share: 0.04 };

export function startFeed(look: () => Promise<Picture>, clock: Clock): Feed {
  const listeners = new Set<(message: string) => void>();
  const over = new AbortController();
  let hurried = new AbortController();
  let last: Picture | undefined;
  let trouble: string | undefined;
  let cost = 0;

  const tell = (message: Message): void => {
    if (Object.keys(message).length === 0) return;
    const text = JSON.stringify(message);
    for (const listener of listeners) listener(text);
  };

  async function lookOnce(): Promise<void> {
    const before = performance.eventLoopUtilization();
    try {
      const now = await look();
      const message = changes(last, now);
      if (trouble !== undefined) message.trouble = null;
      [last, trouble] = [now, undefined];
      tell(message);
    } catch (thrown) {
      const said = messageOf(thrown);
      if (said !== trouble) tell({ trouble: said });
      trouble = said;
    }
    cost = performance.eventLoopUtilization(before).active;
  }

  async function loop(): Promise<void> {
    while (!over.signal.aborted) {
      await lookOnce();
      const rest = listeners.size > 0 ? pace.watched : pace.alone;
      const wait = Math.min(pace.slowest, Math.max(rest, cost / pace.share));
      await clock.sleep(wait, AbortSignal.any([over.signal, hurried.signal]));
      if (hurried.signal.aborted) hurried = new AbortController();
    }
  }
  const running = loop();

  return {
    watch(listener) {
      if (listeners.size === 0) hurried.abort();
      listeners.add(listener);
      listener(JSON.stringify(whole(last, trouble)));
      return () => void listeners.delete(listener);
    },
    latest: () => last,
    watchers: () => listeners.size,
    hurry: () => hurried.abort(),
    async [Symbol.asyncDispose]() {
      over.abort();
      await running;
    },
  };
}

const whole = (last: Picture | undefined, trouble: string | undefined): Message => ({
  ...(last ? changes(undefined, last) : {}),
  whole: true,
  ...(trouble === undefined ? {} : { trouble }),
});

/** What is other than before. */
export function changes(before: Picture | undefined, now: Picture): Message {
  const { nodes, ...rest } = now.fleet;
  const fleet = { ...rest, names: nodes.map(({ name }) => name) };
  const message: Message = {};
  if (!same(headOf(before), fleet)) message.fleet = fleet;
  const changed = othersIn(before?.fleet.nodes ?? [], nodes);
  if (changed.length > 0) message.nodes = changed;
  if (!now.run) return before?.run || !before ? { ...message, run: null } : message;
  const { nodes: runNodes, ...run } = now.run;
  const isOther = before?.run?.run !== run.run;
  const head = { ...run, names: runNodes.map(({ name }) => name) };
  if (isOther || !same(runHeadOf(before), head)) message.run = head;
  const moved = othersIn(isOther ? [] : (before?.run?.nodes ?? []), runNodes);
  if (moved.length > 0) message.runNodes = moved;
  return message;
}

const headOf = (picture: Picture | undefined): unknown => {
  if (!picture) return undefined;
  const { nodes, ...rest } = picture.fleet;
  return { ...rest, names: nodes.map(({ name }) => name) };
};

const runHeadOf = (picture: Picture | undefined): unknown => {
  if (!picture?.run) return undefined;
  const { nodes, ...rest } = picture.run;
  return { ...rest, names: nodes.map(({ name }) => name) };
};

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function othersIn<T extends { name: string }>(before: T[], now: T[]): T[] {
  const old = new Map(before.map((one) => [one.name, JSON.stringify(one)]));
  return now.filter((one) => old.get(one.name) !== JSON.stringify(one));
}

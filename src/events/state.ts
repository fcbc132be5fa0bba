/** Events → what a view shows of a run: the board, the page and the journal's reader use the same. */
import type { Event, HookName, NodeEnd, RunEnd, StepName } from "./events.ts";
import { type WorkersState, withWorker } from "./workers.ts";

export interface StepTime {
  step: StepName;
  ms: number;
  ok: boolean;
}

export interface NodeState {
  name: string;
  /** One of the first, that show whether the release is good. */
  canary: boolean;
  /** The step it is in; absent before its turn and after its end. */
  step: StepName | undefined;
  /** When the step or the trip began, as the event's time. */
  since: string | undefined;
  started: string | undefined;
  /** What it waits for now. */
  saw: string | undefined;
  /** Where they are replaced one by one, for as long as that lasts. */
  workers: WorkersState | undefined;
  done: StepTime[];
  end: NodeEnd | undefined;
  ms: number;
  outMs: number;
  why: string | undefined;
}

export interface RunState {
  run: string;
  command: string;
  fleet: string;
  set: Record<string, string>;
  started: string;
  /** The same map in every state of a run, and changed: a large fleet would be copied for each of its many events. */
  nodes: Map<string, NodeState>;
  leftAlone: { node: string; why: string }[];
  notices: string[];
  /** Commands beside the rotations that run now, each with the last line that it printed. */
  hooks: Map<string, string>;
  stopping: string | undefined;
  end: RunEnd | undefined;
  /** Milliseconds, once it has ended. */
  ms: number;
}

export const nothingYet = (): RunState => ({
  run: "",
  command: "",
  fleet: "",
  set: {},
  started: "",
  nodes: new Map(),
  leftAlone: [],
  notices: [],
  hooks: new Map(),
  stopping: undefined,
  end: undefined,
  ms: 0,
});

const idle = (name: string): NodeState => ({
  name,
  canary: false,
  step: undefined,
  since: undefined,
  started: undefined,
  saw: undefined,
  workers: undefined,
  done: [],
  end: undefined,
  ms: 0,
  outMs: 0,
  why: undefined,
});

export const leaseLost = "the lease is lost: it stops before the next act";

export function reduce(state: RunState, event: Event): RunState {
  switch (event.type) {
    case "run started": {
      const { run, command, fleet, set, leftAlone, at } = event;
      const nodes = new Map(event.nodes.map((name) => [name, idle(name)]));
      return { ...state, run, command, fleet, set, leftAlone, started: at, nodes };
    }
    case "step started":
      return withNode(state, event.node, (node) => ({
        ...node,
        step: event.step,
        since: event.at,
        started: node.started ?? event.at,
        saw: undefined,
      }));
    case "waiting":
      return withNode(state, event.node, (node) => ({ ...node, saw: event.saw }));
    case "output":
      return withNode(state, event.node, (node) => ({ ...node, saw: event.text }));
    case "worker":
      return withNode(state, event.node, (node) => ({
        ...node,
        saw: undefined, // what was said before is older than this
        workers: withWorker(node.workers, event, event.at),
      }));
    case "step ended":
      return withNode(state, event.node, (node) => ({
        ...node,
        saw: undefined,
        workers: undefined,
        done: [...node.done, { step: event.step, ms: event.ms, ok: event.ok }],
        // Its trip has not begun: it serves, and has its turn later.
        ...(event.step === "prepare" || event.step === "once" ? { step: undefined, started: undefined } : {}),
      }));
    case "node ended":
      return withNode(state, event.node, (node) => ({
        ...node,
        step: undefined,
        end: event.end,
        ms: event.ms,
        outMs: event.outMs,
        why: event.why,
      }));
    case "hook started":
      return withHook(state, event, "");
    case "hook output":
      return withHook(state, event, event.text);
    case "hook ended":
      return withHook(state, event, undefined);
    case "notice":
      return { ...state, notices: [...state.notices, event.text] };
    case "lease lost":
      return { ...state, notices: [...state.notices, leaseLost] };
    case "stopping":
      return { ...state, stopping: event.how };
    case "run ended":
      return { ...state, end: event.end, ms: event.ms };
    case "batch started":
      return event.canary ? event.nodes.reduce(asCanary, state) : state;
  }
}

const asCanary = (state: RunState, name: string): RunState =>
  withNode(state, name, (node) => ({ ...node, canary: true }));

/** @param text undefined once it has ended */
function withHook(
  state: RunState,
  { hook, node }: { hook: HookName; node?: string },
  text: string | undefined,
): RunState {
  const hooks = new Map(state.hooks);
  const name = node === undefined ? hook : `${node} ${hook}`;
  if (text === undefined) hooks.delete(name);
  else hooks.set(name, text);
  return { ...state, hooks };
}

function withNode(state: RunState, name: string, change: (node: NodeState) => NodeState): RunState {
  const { nodes } = state;
  nodes.set(name, change(nodes.get(name) ?? idle(name)));
  return { ...state };
}

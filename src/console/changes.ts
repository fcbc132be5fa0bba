/** What travels to a page: all of it at first, then what is other than before. Pure. */
import type { Begun } from "./started.ts";
import type { FleetView, NodeView, RunNodeView, RunView } from "./view.ts";

export interface Picture {
  fleet: FleetView;
  /** Under way, or the last one as long as it needs somebody. */
  run: RunView | undefined;
}

export interface Message {
  /** The first one: all of it. */
  whole?: true;
  fleet?: Omit<FleetView, "nodes">;
  /** Of all nodes, in their order. */
  names?: string[];
  nodes?: NodeView[];
  /** Null: there is none any more. */
  run?: Omit<RunView, "nodes"> | null;
  runNames?: string[];
  runNodes?: RunNodeView[];
  begun?: Begun[];
  /** Why nothing new is known; null: it is again. */
  trouble?: string | null;
}

/** What is other than at the last call; at the first one, all. */
export function differences(): (now: Picture) => Message {
  const [fleetIsOther, namesAreOther, nodesThatAreOther] = [other(), other(), others<NodeView>()];
  let run = differencesOfRun();
  let last: string | undefined;
  return ({ fleet: { nodes, ...fleet }, run: now }) => {
    if (now?.run !== last) run = differencesOfRun();
    const isGone = now === undefined && last !== undefined;
    last = now?.run;
    const names = nodes.map(({ name }) => name);
    const changed = nodesThatAreOther(nodes);
    return {
      ...(fleetIsOther(fleet) ? { fleet } : {}),
      ...(namesAreOther(names) ? { names } : {}),
      ...(changed.length > 0 ? { nodes: changed } : {}),
      ...(isGone ? { run: null } : {}),
      ...(now ? run(now) : {}),
    };
  };
}

function differencesOfRun(): (now: RunView) => Message {
  const [runIsOther, namesAreOther, nodesThatAreOther] = [other(), other(), others<RunNodeView>()];
  return ({ nodes, ...run }) => {
    const runNames = nodes.map(({ name }) => name);
    const runNodes = nodesThatAreOther(nodes);
    return {
      ...(runIsOther(run) ? { run } : {}),
      ...(namesAreOther(runNames) ? { runNames } : {}),
      ...(runNodes.length > 0 ? { runNodes } : {}),
    };
  };
}

/** Each value is made into text once: a large fleet is looked at often. */
function other(): (now: unknown) => boolean {
  let before: string | undefined;
  return (now) => {
    const text = JSON.stringify(now);
    const isOther = text !== before;
    before = text;
    return isOther;
  };
}

function others<T extends { name: string }>(): (now: T[]) => T[] {
  let before = new Map<string, string>();
  return (now) => {
    const texts = new Map(now.map((one) => [one.name, JSON.stringify(one)]));
    const changed = now.filter(({ name }) => texts.get(name) !== before.get(name));
    before = texts;
    return changed;
  };
}

/** What many nodes have stands once. */
import type { Login, SketchNode, SketchPool } from "../sketch.ts";

type Vars = NonNullable<SketchNode["vars"]>;

/** What all nodes of a pool have is the pool's. */
export function shareVars(nodes: SketchNode[]): Vars {
  const [first] = nodes;
  const shared = Object.fromEntries(
    Object.entries(first?.vars ?? {}).filter(([name, value]) =>
      nodes.every(({ vars }) => vars?.[name] === value),
    ),
  );
  for (const node of nodes) {
    const own = Object.fromEntries(Object.entries(node.vars ?? {}).filter(([name]) => !(name in shared)));
    if (Object.keys(own).length > 0) node.vars = own;
    else delete node.vars;
  }
  return shared;
}

/** What all nodes of all pools have is the fleet's. */
export function shareLogins(pools: SketchPool[]): Login {
  const nodes = pools.flatMap((pool) => pool.nodes);
  const logins = nodes.map(({ ssh = {} }) => ssh);
  const shared = { ...logins[0] };
  for (const key of keysOf(shared))
    if (logins.some((login) => login[key] !== shared[key])) delete shared[key];
  for (const [i, node] of nodes.entries()) {
    const own = { ...logins[i] };
    for (const key of keysOf(shared)) delete own[key];
    if (keysOf(own).length > 0) node.ssh = own;
    else delete node.ssh;
  }
  return shared;
}

const keys = ["user", "port", "identity", "known_hosts", "jump", "sudo"] as const;
const keysOf = (login: Login): (keyof Login)[] => keys.filter((key) => login[key] !== undefined);

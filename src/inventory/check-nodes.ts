/** Names, addresses and ranges of nodes, and which of them HAProxy couldn't tell apart. */
import type { Draft, Entry } from "./draft.ts";
import { badName, namePattern, shown } from "./names.ts";
import type { Finding, Path } from "./problems.ts";
import { type Expanded, expand, withoutRange } from "./ranges.ts";
import { isHost } from "./socket.ts";

/** One entry of `nodes`, as far as it can be understood. */
interface DraftNode extends Entry {
  pool: Path;
  /** Where its address stands. */
  hostPath: Path;
  host: string | undefined;
  server: string | undefined;
  /** What its pool names; undefined is all of them. */
  balancers: string[] | undefined;
  backends: string[] | undefined;
}

interface Placed {
  name: string;
  server: string;
  from: DraftNode;
}

/** A few short ranges can stand for more nodes than memory holds. */
const mostNodes = 20_000;

export function checkNodes(draft: Draft): Finding[] {
  const seen: Seen = { draft, nodes: 0, byName: new Map(), byServer: new Map() };
  return draft
    .entries(["pools"])
    .flatMap((pool) => nodesIn(draft, pool.path))
    .flatMap((node) => checkNode(node, seen));
}

function nodesIn(draft: Draft, pool: Path): DraftNode[] {
  const of = {
    pool,
    balancers: draft.texts([...pool, "balancers"]),
    backends: draft.texts([...pool, "backends"]),
  };
  return draft.entries([...pool, "nodes"]).map((entry) => draftNode(draft, of, entry));
}

interface Seen {
  draft: Draft;
  /** How many so far. */
  nodes: number;
  byName: Map<string, Placed>;
  byServer: Map<string, Placed[]>;
}

function draftNode(
  draft: Draft,
  of: Pick<DraftNode, "pool" | "balancers" | "backends">,
  entry: Entry,
): DraftNode {
  const bare = typeof entry.value === "string";
  const hostPath = bare ? entry.path : [...entry.path, "host"];
  const [host, server] = [draft.at(hostPath), draft.at([...entry.path, "server"])];
  return {
    ...entry,
    ...of,
    hostPath,
    host: typeof host === "string" ? host : undefined,
    server: typeof server === "string" ? server : undefined,
  };
}

function checkNode(node: DraftNode, seen: Seen): Finding[] {
  if (node.host === undefined) return checkKey(node, withoutRange(node.key));
  if (seen.nodes > mostNodes) return []; // told once
  const expansion = expand(node.key, node.host);
  if ("problem" in expansion) {
    const at = expansion.of === "name" ? { path: node.path, on: "key" as const } : hostOf(node);
    return [{ ...at, text: expansion.problem }];
  }
  seen.nodes += expansion.nodes.length;
  if (seen.nodes > mostNodes) {
    return [{ path: node.path, on: "key", text: `from here on there are more than ${mostNodes} nodes` }];
  }
  return [
    ...checkKey(node, expansion.nodes.at(-1)?.name ?? ""), // the last of a range is the longest
    ...checkHosts(node, expansion.nodes),
    ...checkServer(node, expansion.nodes),
    ...checkTwice(node, expansion.nodes, seen),
  ];
}

const hostOf = ({ hostPath }: DraftNode) => ({ path: hostPath, on: "value" as const });

const checkKey = ({ key, path }: DraftNode, name: string): Finding[] =>
  namePattern.test(name) ? [] : [{ path, on: "key", text: badName(key) }];

function checkHosts(node: DraftNode, nodes: Expanded[]): Finding[] {
  const wrong = nodes.find(({ host }) => !isHost(host))?.host;
  // These two are faults of shape.
  if (wrong === undefined || wrong.trim() === "" || wrong.includes("\0")) return [];
  const [, host = "", port] = /^([^:]+):(\d+)$/.exec(wrong) ?? [];
  const text = isHost(host)
    ? `${shown(wrong)} holds a port; write { host: ${host}, ssh: { port: ${port} } }`
    : `${shown(wrong)} is not a host's name or address`;
  return [{ ...hostOf(node), text }];
}

const checkServer = ({ path, server }: DraftNode, nodes: Expanded[]): Finding[] =>
  server === undefined || nodes.length === 1
    ? []
    : [
        {
          path: [...path, "server"],
          on: "value",
          text: "a range of nodes can't share one server; write them one by one",
        },
      ];

/** Tells only the first of a range: the others have the same reason. */
function checkTwice(node: DraftNode, nodes: Expanded[], seen: Seen): Finding[] {
  for (const { name } of nodes) {
    const twin = seen.byName.get(name);
    if (twin) return [sameName(node, name, twin, seen.draft)];
    const placed: Placed = { name, server: node.server ?? name, from: node };
    seen.byName.set(name, placed);
    const rivals = seen.byServer.get(placed.server) ?? [];
    const rival = rivals.find((other) => meet(other.from, node));
    if (rival && nodes.length > 1 && node.server !== undefined) return []; // told by checkServer
    if (rival) return [sameServer(placed, rival, seen.draft)];
    rivals.push(placed);
    seen.byServer.set(placed.server, rivals);
  }
  return [];
}

const sameName = (node: DraftNode, name: string, twin: Placed, draft: Draft): Finding => ({
  path: node.path,
  on: "key",
  text: `${shown(name)} is here twice; first on line ${draft.lineOf(twin.from.path)}`,
});

const sameServer = ({ name, server, from }: Placed, rival: Placed, draft: Draft): Finding => ({
  path: from.server === undefined ? from.path : [...from.path, "server"],
  on: from.server === undefined ? "key" : "value",
  text:
    `${name} and ${rival.name} (line ${draft.lineOf(rival.from.path)}) are the same server ${shown(server)} ` +
    "in the same backends",
});

/** Whether two nodes can stand in one backend of one balancer. A pool that names none is in all of them. */
const meet = (a: DraftNode, b: DraftNode): boolean =>
  a.pool === b.pool || (share(a.balancers, b.balancers) && share(a.backends, b.backends));

const share = (a: string[] | undefined, b: string[] | undefined): boolean =>
  !a || !b || a.some((name) => b.includes(name));

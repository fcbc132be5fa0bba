/** Where the inventory and the balancers differ, or the balancers among themselves. Pure; nothing here refuses. */
import type { Node, Pool } from "../../inventory/fleet.ts";
import { sayBackend } from "./capacity.ts";
import { samePlace } from "../place.ts";
import type { Entry, Survey } from "../ports.ts";

const driftKinds = [
  "elsewhere",
  "address",
  "missing",
  "state",
  "weight",
  "agent",
  "not in the inventory",
] as const;

export interface Drift {
  kind: (typeof driftKinds)[number];
  /** One line, for people. */
  text: string;
}

export interface Seen {
  fleet: { pools: { nodes: Pick<Node, "server">[] }[] };
  survey: Survey;
  /** Each node that is looked at, and its places on the balancers. */
  nodes: { pool: Pick<Pool, "balancers">; node: Pick<Node, "name" | "host" | "server">; entries: Entry[] }[];
  /** IP addresses of hosts, by name; what does not resolve is left out. */
  addresses: ReadonlyMap<string, string[]>;
}

/** Of each kind. */
const mostLines = 4;

export function driftOf(seen: Seen): Drift[] {
  const all: Record<Drift["kind"], string[]> = {
    elsewhere: elsewhere(seen),
    address: addressesThatDiffer(seen),
    missing: missing(seen),
    state: statesThatDiffer(seen),
    weight: weightsThatDiffer(seen),
    agent: agents(seen),
    "not in the inventory": unknownServers(seen),
  };
  return driftKinds.flatMap((kind) => {
    const lines = all[kind];
    const more = lines.length - mostLines;
    const said = more > 0 ? [...lines.slice(0, mostLines), `and ${more} more like this`] : lines;
    return said.map((text) => ({ kind, text }));
  });
}

/**
 * The node's address under another name, or outside of `backends:`. What tracks the node follows it. A whole fleet may
 * stand on one address: no more than the few that are named are looked for.
 */
function elsewhere({ survey, nodes }: Seen): string[] {
  const open = survey.entries.filter(
    ({ address, outBecause }) => address !== undefined && outBecause !== "person",
  );
  const byAddress = groupOf(open, addressOn);
  return nodes.flatMap(({ node, entries }) => {
    const isOwn = (other: Entry): boolean =>
      entries.some((entry) => samePlace(entry, other) || follows(other, entry));
    const others: Entry[] = [];
    for (const address of unique(entries.map(addressOn)))
      for (const other of byAddress.get(address) ?? []) {
        if (others.length > mostNamed) break;
        if (!isOwn(other)) others.push(other);
      }
    if (others.length === 0) return [];
    const at = unique(others.map(({ address = "" }) => address)).join(", ");
    const where = unique(others.map((other) => `${sayBackend(other)}/${other.server}`));
    return [
      `${node.name} (${at}) is ${someOf(where)} too, which rota does not drain: requests still reach it there`,
    ];
  });
}

const addressOn = ({ balancer, address = "" }: Entry): string => `${balancer} ${address}`;

const follows = (other: Entry, entry: Entry): boolean =>
  other.balancer === entry.balancer && other.tracks === `${entry.backend}/${entry.server}`;

/** Another address than the inventory's, or not the same on every balancer. */
const addressesThatDiffer = ({ nodes, addresses }: Seen): string[] =>
  nodes.flatMap(({ node, entries }) => {
    const expected = addresses.get(node.host)?.map(plainAddress);
    const known = entries.filter(({ address }) => address !== undefined);
    const wrong = known.filter(({ address }) => expected && !expected.includes(hostIn(address)));
    if (wrong.length > 0)
      return [`${node.name} is ${node.host} in the inventory, and ${sayEach(wrong, (e) => e.address ?? "")}`];
    return [...groupOf(known, ({ backend }) => backend).values()].flatMap((same) =>
      unique(same.map(({ address }) => address)).length < 2
        ? []
        : [`${node.name} is not the same everywhere: ${sayEach(same, (e) => e.address ?? "")}`],
    );
  });

const hostIn = (address = ""): string => plainAddress(address.slice(0, address.lastIndexOf(":")));

/** One way to write each address: "::1" and "0:0::1" are the same. */
function plainAddress(address: string): string {
  if (!address.includes(":")) return address;
  const url = `http://${address.startsWith("[") ? address : `[${address}]`}`;
  return URL.canParse(url) ? new URL(url).hostname : address;
}

/** In a backend on one balancer, and not on another that has the node too. */
function missing({ nodes, survey }: Seen): string[] {
  const lacks = new Map<string, string[]>();
  for (const { pool, node, entries } of nodes) {
    const backends = unique(entries.map(({ backend }) => backend));
    const has = unique(entries.map(({ balancer }) => balancer));
    for (const balancer of pool.balancers.filter((name) => has.includes(name)))
      for (const backend of backends) {
        if (entries.some((entry) => entry.balancer === balancer && entry.backend === backend)) continue;
        const place = sayBackend({ balancer, backend });
        const exists = survey.backends.some((one) => sayBackend(one) === place);
        const text = exists
          ? `${place} lacks`
          : `${balancer} has no backend ${backend}, which others have with`;
        const names = lacks.get(text);
        if (names) names.push(node.name);
        else lacks.set(text, [node.name]);
      }
  }
  return [...lacks].map(([text, names]) => `${text} ${some(names)}`);
}

/** Serves on one, and is out on another. */
function statesThatDiffer({ nodes }: Seen): string[] {
  return nodes.flatMap(({ node, entries }) =>
    [...groupOf(entries, ({ backend }) => backend).values()].flatMap((same) => {
      const out = same.filter(({ outBecause }) => outBecause);
      if (out.length === 0 || out.length === same.length || out.some(({ weight }) => weight === 0)) return [];
      return [`the balancers disagree about ${node.name}: ${sayEach(same, ({ status }) => status)}`];
    }),
  );
}

const weightsThatDiffer = ({ nodes }: Seen): string[] =>
  nodes.flatMap(({ node, entries }) =>
    [...groupOf(entries, ({ backend }) => backend).values()].flatMap((same) =>
      unique(same.map(({ weight }) => weight)).length < 2
        ? []
        : [`${node.name} weighs ${sayEach(same, ({ weight }) => `${weight}`)}`],
    ),
  );

function agents({ nodes }: Seen): string[] {
  const asked = nodes.flatMap(({ entries }) => entries.filter(({ agent }) => agent));
  return [...groupOf(asked, sayBackend)].map(
    ([place, entries]) =>
      `${place} asks an agent about ${some(entries.map(({ server }) => server))}: while the node is out rota has it not asked (disable agent)`,
  );
}

/** In the backends of these nodes, and no node of the fleet. */
function unknownServers({ fleet, survey, nodes }: Seen): string[] {
  const places = new Set(nodes.flatMap(({ entries }) => entries.map(sayBackend)));
  const servers = new Set(fleet.pools.flatMap((pool) => pool.nodes.map(({ server }) => server)));
  const strangers = survey.entries.filter(
    (entry) => places.has(sayBackend(entry)) && !servers.has(entry.server),
  );
  return [...groupOf(strangers, sayBackend)].map(
    ([place, entries]) =>
      `${place} also has ${some(entries.map(({ server }) => server))}, not in the inventory: counted, and never touched`,
  );
}

const unique = <T>(all: T[]): T[] => [...new Set(all)];

function groupOf<T>(all: T[], by: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(by(one));
    if (group) group.push(one);
    else groups.set(by(one), [one]);
  }
  return groups;
}

/** "10.0.0.9:80 on lb1/app, lb2/app; 10.0.0.2:80 on lb3/app" */
const sayEach = (entries: Entry[], what: (entry: Entry) => string): string =>
  [...groupOf(entries, what)]
    .map(([said, same]) => `${said} on ${unique(same.map(sayBackend)).join(", ")}`)
    .join("; ");

const mostNamed = 6;

const some = (names: string[]): string =>
  names.length <= mostNamed
    ? names.join(", ")
    : `${names.slice(0, mostNamed - 1).join(", ")} and ${names.length - mostNamed + 1} more`;

/** Where it is not known how many there are: not all were looked for. */
const someOf = (names: string[]): string =>
  names.length <= mostNamed ? names.join(", ") : `${names.slice(0, mostNamed).join(", ")} and more`;

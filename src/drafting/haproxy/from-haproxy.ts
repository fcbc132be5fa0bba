/** What running HAProxies say → the sketch of an inventory. Pure. */
import { admin } from "../../balancer/answers.ts";
import type { Introduction } from "../../balancer/introduction.ts";
import { RotaError } from "../../base/errors.ts";
import { fillIn } from "../fill-in.ts";
import { remark, some } from "../remark.ts";
import type { Login, Sketch, SketchNode, SketchPool } from "../sketch.ts";
import { checkOf, varsOf } from "./checks.ts";
import { type Line, type Machine, type Some, backendsOf, machinesIn, placeOf, unique } from "./machines.ts";

export interface Found {
  fleet: string;
  /** How each balancer was written. */
  addresses: ReadonlyMap<string, string>;
  ssh: Login;
  introductions: Introduction[];
}

/** @throws RotaError SERVER_MISSING where there is no server that could be a node */
export function sketchFrom({ fleet, addresses, ssh, introductions }: Found): Sketch {
  const { machines, left } = machinesIn(introductions);
  const names = introductions.map(({ balancer }) => balancer);
  const pools = poolsOf(machines, { names, addresses, lines: allLines(introductions) });
  if (pools.length === 0) throw nothingThere(names, left);
  const versions = introductions.map(({ balancer, version }) => `${balancer} (HAProxy ${version})`);
  return {
    fleet,
    about: [
      `Made by rota init from what ${versions.join(", ")} said. What only a person knows is marked ${fillIn};`,
      "every key is in docs/inventory.md. Then: rota plan -i THIS_FILE",
    ],
    balancers: introductions.map((one, i) => ({
      name: one.balancer,
      address: addresses.get(one.balancer) ?? "",
      remarks: [...rights(one), ...twice(one, introductions.slice(0, i))],
    })),
    balancerRemarks: [
      "With the master socket too, requests that old workers have after a reload are waited for:",
      "lb1: { socket: unix:/run/haproxy/admin.sock, master: unix:/run/haproxy-master.sock }",
    ],
    ssh,
    sshRemarks: [],
    poolRemarks: ["One pool after another, in this order: put workers, migrations first."],
    pools,
    left: left.length === 0 ? [] : ["Servers that are not in this file:", ...left.map((line) => `- ${line}`)],
  };
}

type Known = Pick<Line, "server" | "backend" | "balancer" | "backup">;

const rights = ({ level }: Introduction): string[] =>
  level === "admin"
    ? []
    : [`PROBLEM: this socket gives the level ${level}, and rota needs admin: "stats socket … level admin"`];

/** One HAProxy at two sockets would be counted twice. */
function twice({ process, uptime = 0, version }: Introduction, others: Introduction[]): string[] {
  const same = others.find(
    (one) => one.process === process && one.version === version && Math.abs((one.uptime ?? 0) - uptime) <= 2,
  );
  return same ? [`PROBLEM: it seems to be the same HAProxy as ${same.balancer}; leave one of them out`] : [];
}

const allLines = (introductions: Introduction[]): Known[] =>
  introductions.flatMap(({ balancer, servers }) => servers.map((server) => ({ ...server, balancer })));

interface Around {
  /** Of all balancers. */
  names: string[];
  addresses: ReadonlyMap<string, string>;
  lines: Known[];
}

/** One pool for each set of backends. */
function poolsOf(machines: Machine[], around: Around): SketchPool[] {
  const groups = new Map<string, Some<Machine>>();
  for (const machine of machines) {
    const key = [...backendsOf(machine).toSorted(), "", ...balancersOf(machine).toSorted()].join(" ");
    const group = groups.get(key);
    if (group) group.push(machine);
    else groups.set(key, [machine]);
  }
  const taken = { pools: new Set<string>(["__proto__"]), nodes: new Set<string>(["__proto__"]) };
  const shared = new Set(
    machines.map(({ server }) => server).filter((server, i, all) => all.indexOf(server) !== i),
  );
  return [...groups.values()].map((group) => poolOf(group, { ...around, taken, shared }));
}

interface Naming extends Around {
  taken: { pools: Set<string>; nodes: Set<string> };
  /** Server names that are of more than one machine. */
  shared: ReadonlySet<string>;
}

function poolOf(group: Some<Machine>, around: Naming): SketchPool {
  const [first] = group;
  const [backends, balancers] = [backendsOf(first), balancersOf(first)];
  const lines = group.flatMap((machine) => machine.lines);
  const vars = varsOf(group);
  // Without `backends` every backend that has a server of the name is meant.
  const own = group.every(({ server, lines: mine }) =>
    around.lines.every((line) => line.server !== server || mine.some((one) => samePlace(one, line))),
  );
  const name = free(backends.slice(0, 3).join("-"), backends[0] ?? "", around.taken.pools);
  return {
    name,
    remarks: remarksOn(lines, backends),
    balancers: balancers.length === around.names.length ? undefined : balancers,
    backends: own ? undefined : backends,
    hints: [...outNow(group), ...alone(group, around), ...loopback(group, around)],
    nodes: group.map((machine): SketchNode => {
      const node = nodeName(machine, around);
      return {
        name: node,
        host: machine.host,
        server: node === machine.server ? undefined : machine.server,
        ...(vars?.get(machine) ? { vars: vars.get(machine) ?? {} } : {}),
        remarks: machine.remarks,
      };
    }),
    check: checkOf(group, vars !== undefined),
  };
}

const balancersOf = ({ lines }: Machine): string[] => unique(lines.map(({ balancer }) => balancer));

const samePlace = (a: Pick<Line, "balancer" | "backend">, b: Pick<Line, "balancer" | "backend">): boolean =>
  a.balancer === b.balancer && a.backend === b.backend;

const nodeName = ({ server, lines }: Machine, { taken, shared }: Naming): string =>
  shared.has(server)
    ? free(`${lines[0].backend}-${server}`, server, taken.nodes)
    : free(server, server, taken.nodes);

const longestName = 256;

/** A name that is not taken yet: this one, or with a number. */
function free(wanted: string, shorter: string, taken: Set<string>): string {
  const base = wanted.length > longestName ? shorter : wanted;
  let name = base;
  for (let n = 2; taken.has(name); n += 1) name = `${base.slice(0, longestName - 8)}-${n}`;
  taken.add(name);
  return name;
}

function remarksOn(lines: Line[], backends: string[]): string[] {
  const tcp = unique(lines.filter(({ mode }) => mode === "tcp").map(placeOf));
  const agents = unique(lines.filter(({ agent }) => agent).map(placeOf));
  const unchecked = unique(lines.filter(({ checked, tracks }) => !checked && tracks === "").map(placeOf));
  return [
    backends.length === 1 ? `Backend ${backends[0]}.` : `In the backends ${backends.join(", ")}.`,
    ...(tcp.length > 0
      ? [
          `${tcp.join(", ")} is in mode tcp: a node is idle only once every connection to it has ended (docs/draining.md).`,
        ]
      : []),
    ...(agents.length > 0
      ? [`${agents.join(", ")} asks an agent on its servers: while a node is out rota has it not asked.`]
      : []),
    ...(unchecked.length > 0
      ? [
          `${unchecked.join(", ")} has servers without \`check\`: such a node comes back on its own check alone.`,
        ]
      : []),
  ];
}

/** Nobody serves while the only one is out, so a deploy is refused until a person says that this is meant. */
function alone([{ lines }, ...others]: Some<Machine>, around: Around): string[] {
  const only = lines.filter(
    (line) => around.lines.filter((one) => !one.backup && samePlace(one, line)).length === 1,
  );
  if (others.length > 0 || only.length === 0) return [];
  return [
    `${fillIn}, if nobody may serve meanwhile: it is the only server of ${some(unique(only.map(placeOf)))}.`,
    "rollout: { min_serving: 0 }",
  ];
}

/** Not in rotation at this moment. */
function outNow(group: Machine[]): string[] {
  const held = admin.maint | admin.maintInherited | admin.drain | admin.drainInherited;
  const said = group.flatMap(({ server, lines }) => {
    const out = lines.filter(
      (line) => (line.admin & held) !== 0 || line.weight === 0 || !/^(UP|no check)/.test(line.status),
    );
    const words = out.map(({ status, weight }) => (weight === 0 ? `${status} weight 0` : status));
    const each = unique(words).map(
      (word) => `${word} on ${some(out.filter((_, i) => words[i] === word).map(placeOf))}`,
    );
    return each.length > 0 ? [`${server}: ${each.join("; ")}`] : [];
  });
  if (said.length === 0) return [];
  return [
    "Out of rotation when this was written (a deploy leaves alone who is out by hand):",
    ...said.map((line) => `- ${line}`),
  ];
}

/** 127.0.0.1 is another machine on each balancer. */
function loopback(group: Machine[], { addresses }: Around): string[] {
  const there = group.flatMap(({ host, lines }) => (/^(127\.|::1$)/.test(host) ? lines : []));
  const elsewhere = unique(there.map(({ balancer }) => balancer)).filter(
    (balancer) => !addresses.get(balancer)?.startsWith("unix:"),
  );
  if (elsewhere.length === 0) return [];
  return [`${fillIn}: loopback addresses are those of ${some(elsewhere)}; write the ones that rota reaches.`];
}

const nothingThere = (names: string[], left: string[]): RotaError =>
  new RotaError("SERVER_MISSING", {
    problem: [
      `${names.join(", ")} has no server that could be a node`,
      ...left.map((line) => `  ${remark(line)}`),
    ].join("\n"),
    left: "nothing was written",
    next: "see that these are the right sockets: rota init --socket ADDRESS",
  });

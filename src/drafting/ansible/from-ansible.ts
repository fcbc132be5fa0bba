/** Ansible's inventory → the sketch of one of rota's. Pure. */
import { RotaError } from "../../base/errors.ts";
import { nearest } from "../../inventory/near.ts";
import { shown } from "../../inventory/names.ts";
import { parseSocket } from "../../inventory/socket.ts";
import { fillIn } from "../fill-in.ts";
import { remark, some } from "../remark.ts";
import type { Sketch, SketchNode, SketchPool } from "../sketch.ts";
import { faultAt, importNext } from "./faults.ts";
import type { Loaded } from "./load.ts";
import { hostsIn } from "./model.ts";
import { shareLogins, shareVars } from "./shared.ts";
import { at, nodeName, plainText, reach, saidAt } from "./node.ts";
import type { Variables } from "./values.ts";

export interface Asked {
  fleet: string;
  file: string;
  /** Groups that become pools; none: each that has hosts itself. */
  groups: string[];
  /** Variables that are taken over. */
  vars: string[];
}

/** Groups whose hosts are no nodes, by what they are mostly called. */
const balancerGroup = /^(lbs?|lb_?servers?|haproxy|(load_?)?balancers?|prox(y|ies))$/i;
const jumpGroup = /^(bastions?|jump(_?(hosts?|box(es)?|servers?))?)$/i;

/** @throws RotaError USAGE for a group that is not there; INVENTORY where there is no host, or a variable is no plain one */
export function sketchFromAnsible(loaded: Loaded, asked: Asked): Sketch {
  const { model, notes } = loaded;
  const chosen = groupsOf(loaded, asked);
  const whole = asked.groups.length === 0;
  const isPool = (name: string): boolean => !whole || !(balancerGroup.test(name) || jumpGroup.test(name));
  const left: string[] = [...notes];
  const placed = new Map<string, string>();
  const taken = { nodes: new Set<string>(), pools: new Set<string>() };
  const pools = chosen.filter(isPool).flatMap((group): SketchPool[] => {
    const hosts = whole ? (model.groups.get(group)?.hosts ?? []) : hostsIn(model, group);
    const fresh = hosts.filter((host) => !placed.has(host));
    for (const host of fresh) placed.set(host, group);
    if (fresh.length === 0) {
      const where = [...new Set(hosts.map((host) => placed.get(host) ?? ""))];
      left.push(
        hosts.length === 0
          ? `group ${group}: it has no hosts`
          : `group ${group}: its hosts are in ${some(where)}`,
      );
      return [];
    }
    const { pool, none } = poolOf(group, fresh, { loaded, asked, taken });
    left.push(...none);
    const elsewhere = hosts.filter((host) => !fresh.includes(host));
    if (elsewhere.length > 0)
      pool.remarks.push(`Of this group too, and in a pool above: ${some(elsewhere)}.`);
    return pool.nodes.length > 0 ? [pool] : [];
  });
  if (pools.length === 0) throw noNodes(asked.file, left);
  const ssh = shareLogins(pools);
  const from = (kind: RegExp): string[] =>
    whole ? chosen.filter((name) => kind.test(name)).flatMap((name) => hostsIn(model, name)) : [];
  return {
    fleet: asked.fleet,
    about: [
      `Made by rota import ansible ${asked.file}. What Ansible's inventory does not say is marked ${fillIn};`,
      "every key is in docs/inventory.md. Then: rota plan -i THIS_FILE",
    ],
    balancers: balancersFrom(from(balancerGroup), loaded),
    balancerRemarks: [
      `${fillIn}: every HAProxy in front of these nodes, by its runtime socket: unix:/PATH, tcp://HOST:PORT or ssh://HOST/PATH.`,
    ],
    ssh,
    sshRemarks: from(jumpGroup).map(
      (host) => `jump: ${jumpTo(host, loaded)} # ${fillIn}: if nodes are reached through it`,
    ),
    poolRemarks: [
      "One pool after another, in this order. A node's name is that of its server in HAProxy: where that is another, write",
      "web1: { host: 10.0.1.1, server: NAME }. rota plan names each that HAProxy does not have.",
    ],
    pools,
    left: left.length === 0 ? [] : ["What is not in this file:", ...left.map((line) => `- ${line}`)],
  };
}

/** In the order of the file; hosts of no group come last. */
function groupsOf({ model }: Loaded, { groups, file }: Asked): string[] {
  for (const name of groups) {
    if (model.groups.has(name)) continue;
    const meant = nearest(name, [...model.groups.keys()]);
    throw new RotaError("USAGE", {
      problem: `--group ${shown(name)}: ${file} has no such group${meant ? `; did you mean ${shown(meant)}?` : ""}`,
      left: "nothing was written",
      next: `--group with one of ${some([...model.groups.keys()].map(shown))}`,
    });
  }
  if (groups.length > 0) return [...new Set(groups)];
  const all = [...model.groups.values()].filter(({ name, hosts }) => name !== "all" && hosts.length > 0);
  const last = (name: string): number => (name === "ungrouped" ? 1 : 0);
  return all.map(({ name }) => name).toSorted((a, b) => last(a) - last(b));
}

interface Around {
  loaded: Loaded;
  asked: Asked;
  /** Names of nodes and pools that are in use. */
  taken: { nodes: Set<string>; pools: Set<string> };
}

function poolOf(
  group: string,
  hosts: string[],
  { loaded, asked, taken }: Around,
): { pool: SketchPool; none: string[] } {
  const none: string[] = [];
  const unsaid = new Map<string, string[]>();
  const others = new Set<string>();
  const nodes = hosts.flatMap((host): SketchNode[] => {
    const variables = loaded.variables.get(host) ?? new Map();
    const reached = reach(host, variables);
    if ("problem" in reached) {
      none.push(`${host} (group ${group}): ${reached.problem}`);
      return [];
    }
    for (const text of reached.remarks) unsaid.set(text, [...(unsaid.get(text) ?? []), host]);
    for (const word of variables.keys())
      if (!word.startsWith("ansible_") && !asked.vars.includes(word)) others.add(word);
    const name = free(nodeName(host), taken.nodes);
    return [
      {
        name,
        host: reached.host,
        ssh: reached.login,
        vars: varsOf(variables, asked.vars),
        remarks: name === host ? [] : [`In Ansible: ${host}`],
      },
    ];
  });
  const vars = shareVars(nodes);
  const pool: SketchPool = {
    name: free(nodeName(group), taken.pools),
    remarks: [`Ansible's group ${group}.`],
    hints: [
      "balancers: [lb1] # absent: all of them",
      `backends: [${nodeName(group)}] # ${fillIn}, where a server's name is in other backends too; absent: every backend that has it`,
      ...[...unsaid].map(([text, names]) => `PROBLEM: ${text} (${some(names)})`),
      ...(others.size > 0
        ? [`Variables that are not taken over, and would be by --var NAME: ${some([...others], 12)}.`]
        : []),
    ],
    nodes,
    vars,
    check: {
      url: "http://{host}:8000/",
      remarks: [`${fillIn}: a page of the app that answers 200 only if it is well.`],
    },
  };
  return { pool, none };
}

function free(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let n = 2; taken.has(name); n += 1) name = `${wanted}-${n}`;
  taken.add(name);
  return name;
}

type Vars = NonNullable<SketchNode["vars"]>;

/** @throws RotaError INVENTORY for one that is no plain value */
function varsOf(variables: Variables, names: string[]): Vars {
  return Object.fromEntries(
    names.flatMap((name): [string, Vars[string]][] => {
      const variable = variables.get(name);
      if (!variable) return [];
      const { value, place } = variable;
      if (plainText(value) === undefined || typeof value === "object" || value === null) {
        throw faultAt(place, `--var ${name}: ${saidAt(name, variable)}`);
      }
      if (typeof value === "number" && !Number.isFinite(value))
        throw faultAt(place, `--var ${name}: ${at(variable)} is no number`);
      return [[name, value]];
    }),
  );
}

/** As Debian's package has it. */
const usualSocket = "/run/haproxy/admin.sock";

function balancersFrom(hosts: string[], loaded: Loaded): Sketch["balancers"] {
  const taken = new Set<string>();
  const addresses = hosts.map((host) => `ssh://${jumpTo(host, loaded)}${usualSocket}`);
  // Two that are one machine would be one HAProxy under two names.
  const found = addresses.flatMap((address, i) =>
    addresses.indexOf(address) === i && parseSocket(address)
      ? [{ name: free(nodeName(hosts[i] ?? ""), taken), address, remarks: [] }]
      : [],
  );
  return found.length > 0 ? found : [{ name: "lb1", address: `unix:${usualSocket}`, remarks: [] }];
}

/** `[user@]host[:port]` */
function jumpTo(name: string, { variables }: Loaded): string {
  const reached = reach(name, variables.get(name) ?? new Map());
  if ("problem" in reached) return name;
  const { host, login } = reached;
  const bracketed = host.includes(":") ? `[${host}]` : host;
  return `${login.user === undefined ? "" : `${login.user}@`}${bracketed}${login.port === undefined ? "" : `:${login.port}`}`;
}

const noNodes = (file: string, left: string[]): RotaError =>
  new RotaError("INVENTORY", {
    problem: [
      `${file} has no host that could be a node`,
      ...left.slice(0, 20).map((line) => `  ${remark(line)}`),
    ].join("\n"),
    left: "nothing was written",
    next: importNext,
  });

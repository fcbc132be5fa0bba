/** Ansible's own model of an inventory: groups in groups, hosts, and which variable wins. */
import { faultAt } from "./faults.ts";
import type { Place, Value, Variables } from "./values.ts";

export interface Group {
  name: string;
  hosts: string[];
  /** The same hosts, to be found. */
  members: Set<string>;
  children: string[];
  parents: string[];
  vars: Variables;
  /** The greater one wins among groups of the same depth. */
  priority: number;
  /** Where it was seen first. */
  place: Place;
}

export interface Host {
  name: string;
  vars: Variables;
  place: Place;
}

export interface Model {
  groups: Map<string, Group>;
  hosts: Map<string, Host>;
  /** How many times a host was put into a group, or a variable was set. */
  given: number;
}

/** More were named by mistake. */
const [mostHosts, mostGroups] = [20_000, 5_000];
/** A line of ranges can stand for more than a machine has room for. */
const [mostGiven, mostResolved] = [500_000, 10_000_000];

function give(model: Model, place: Place): void {
  model.given += 1;
  if (model.given > mostGiven)
    throw faultAt(place, `this stands for too much: more than ${mostGiven} hosts in groups and variables`);
}

export function emptyModel(file: string): Model {
  const model: Model = { groups: new Map(), hosts: new Map(), given: 0 };
  for (const name of ["all", "ungrouped"]) addGroup(model, name, { file, line: 1 });
  addChild(model, "all", "ungrouped", { file, line: 1 });
  return model;
}

export function addGroup({ groups }: Model, name: string, place: Place): Group {
  if (name === "") throw faultAt(place, "a group needs a name");
  const known = groups.get(name);
  if (known) return known;
  if (groups.size >= mostGroups) throw faultAt(place, `more than ${mostGroups} groups`);
  const group: Group = {
    name,
    hosts: [],
    members: new Set(),
    children: [],
    parents: [],
    vars: new Map(),
    priority: 1,
    place,
  };
  groups.set(name, group);
  return group;
}

export function addHost(
  model: Model,
  name: string,
  group: string,
  port: number | undefined,
  place: Place,
): void {
  if (name === "") throw faultAt(place, "a host needs a name");
  if (!model.hosts.has(name)) {
    if (model.hosts.size >= mostHosts) throw faultAt(place, `more than ${mostHosts} hosts`);
    const vars: Variables = new Map();
    if (port !== undefined && port !== 0) vars.set("ansible_port", { value: port, place });
    model.hosts.set(name, { name, vars, place });
  }
  const { hosts, members } = addGroup(model, group, place);
  if (members.has(name)) return;
  give(model, place);
  members.add(name);
  hosts.push(name);
}

export function addChild(model: Model, parent: string, child: string, place: Place): void {
  const group = addGroup(model, parent, place);
  if (parent === child || ancestorsOf(model, parent).has(child)) {
    throw faultAt(place, `the group ${child} would be a child of itself`);
  }
  if (group.children.includes(child)) return;
  group.children.push(child);
  addGroup(model, child, place).parents.push(parent);
}

/** Of a group, or else of a host: Ansible looks for a group first. */
export function setVariable(model: Model, name: string, key: string, value: Value, place: Place): void {
  give(model, place);
  const group = model.groups.get(name);
  if (!group) {
    model.hosts.get(name)?.vars.set(key, { value, place });
  } else if (key === "ansible_group_priority") {
    const priority = Number(value);
    if (!Number.isSafeInteger(priority)) throw faultAt(place, "ansible_group_priority is a whole number");
    group.priority = priority;
  } else group.vars.set(key, { value, place });
}

/** What Ansible puts right once all is read: a group without a parent belongs to `all`, a host without a group to `ungrouped`. */
export function reconcile(model: Model): void {
  const variables = [...model.groups.values()].reduce((sum, { vars }) => sum + vars.size, 0);
  const [first] = model.groups.values();
  if (first && model.hosts.size * variables > mostResolved)
    throw faultAt(
      first.place,
      `${model.hosts.size} hosts with up to ${variables} variables each are too many`,
    );
  for (const { name, parents, place } of model.groups.values()) {
    if (name !== "all" && parents.length === 0) addChild(model, "all", name, place);
  }
  const ungrouped = model.groups.get("ungrouped");
  const grouped = new Set(
    [...model.groups.values()].flatMap(({ name, hosts }) =>
      name === "all" || name === "ungrouped" ? [] : hosts,
    ),
  );
  if (!ungrouped) return;
  const lost = [...model.hosts.keys()].filter(
    (name) => !grouped.has(name) && !ungrouped.hosts.includes(name),
  );
  ungrouped.hosts = [...ungrouped.hosts.filter((name) => !grouped.has(name)), ...lost];
}

function ancestorsOf({ groups }: Model, name: string): Set<string> {
  const found = new Set<string>();
  const open = [name];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const parent of groups.get(next)?.parents ?? []) {
      if (found.has(parent)) continue;
      found.add(parent);
      open.push(parent);
    }
  }
  return found;
}

/** Every host of a group and of the groups below it. */
export function hostsIn({ groups }: Model, name: string): string[] {
  const [seen, ordered] = [new Set([name]), [name]];
  for (const one of ordered)
    for (const child of groups.get(one)?.children ?? []) {
      if (!seen.has(child)) ordered.push(child);
      seen.add(child);
    }
  return [...new Set(ordered.flatMap((one) => groups.get(one)?.hosts ?? []))];
}

/** The variables of files beside the inventory. */
export interface VarsFiles {
  ofGroup(name: string): Variables;
  ofHost(name: string): Variables;
}

/** What each host's variables come to: the later of these win. */
export function variablesOf(model: Model, files: VarsFiles): Map<string, Variables> {
  const depths = depthsIn(model);
  const direct = new Map<string, string[]>();
  for (const { name, hosts } of model.groups.values())
    for (const host of hosts) direct.set(host, [...(direct.get(host) ?? []), name]);
  const inherited = new Map([...model.groups.keys()].map((name) => [name, ancestorsOf(model, name)]));
  const order = (a: Group, b: Group): number =>
    (depths.get(a.name) ?? 0) - (depths.get(b.name) ?? 0) ||
    a.priority - b.priority ||
    (a.name < b.name ? -1 : 1);
  return new Map(
    [...model.hosts.values()].map(({ name, vars }) => {
      const own = direct.get(name) ?? [];
      const groups = [...new Set(own.flatMap((group) => [group, ...(inherited.get(group) ?? [])]))]
        .flatMap((group) => (group === "all" ? [] : (model.groups.get(group) ?? [])))
        .toSorted(order);
      const layers = [
        model.groups.get("all")?.vars ?? new Map(),
        ...groups.map((group) => group.vars),
        files.ofGroup("all"),
        ...groups.map((group) => files.ofGroup(group.name)),
        vars,
        files.ofHost(name),
      ];
      return [name, new Map(layers.flatMap((layer) => [...layer]))];
    }),
  );
}

/** The longest way down from `all`. */
function depthsIn({ groups }: Model): Map<string, number> {
  const depths = new Map([...groups.keys()].map((name) => [name, 0]));
  const waiting = new Map([...groups.values()].map(({ name, parents }) => [name, parents.length]));
  const ready = [...groups.keys()].filter((name) => waiting.get(name) === 0);
  for (const name of ready)
    for (const child of groups.get(name)?.children ?? []) {
      depths.set(child, Math.max(depths.get(child) ?? 0, (depths.get(name) ?? 0) + 1));
      const left = (waiting.get(child) ?? 0) - 1;
      waiting.set(child, left);
      if (left === 0) ready.push(child);
    }
  return depths;
}

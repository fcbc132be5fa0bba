/** An INI inventory, line by line as Ansible reads it. */
import { evaluated } from "./literal.ts";
import { faultAt } from "./faults.ts";
import { hostsOf } from "./hosts.ts";
import { type Model, addChild, addGroup, addHost, emptyModel, setVariable } from "./model.ts";
import type { Place } from "./values.ts";
import { wordsIn } from "./words.ts";

const section = /^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$/u;
const groupName = /^([^:\]\s]+)\s*(?:#.*)?$/u;

/** Where Python's `splitlines` ends a line. */
// oxlint-disable-next-line no-control-regex
const lineEnds = /\r\n|[\n\r\v\f\u001c-\u001e\u0085\u2028\u2029]/u;

/** Groups that are named before they are there. */
type Pending = Map<string, { place: Place; state: "vars" | "children"; parents: string[] }>;

/** @throws RotaError INVENTORY with the first line that is not understood */
export function readIni(text: string, file: string): Model {
  const model = emptyModel(file);
  const pending: Pending = new Map();
  let [group, state] = ["ungrouped", "hosts"];
  for (const [i, raw] of text.split(lineEnds).entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    const place = { file, line: i + 1 };
    const [, name, kind = "hosts"] = section.exec(line) ?? [];
    if (name !== undefined) {
      [group, state] = [name, kind];
      begin(model, pending, { name, kind, place });
    } else if (line.startsWith("[") && line.endsWith("]")) {
      throw faultAt(place, `${line} is no section; write [group], [group:children] or [group:vars]`);
    } else if (state === "hosts") hostLine(model, group, line, place);
    else if (state === "vars") varsLine(model, group, line, place);
    else childLine(model, pending, { group, line, place });
  }
  for (const [name, { place, state: awaited, parents }] of pending) {
    throw faultAt(
      place,
      awaited === "vars"
        ? `[${name}:vars]: there is no group ${name}`
        : `[${parents.at(-1)}:children]: there is no group ${name}`,
    );
  }
  return model;
}

function begin(
  model: Model,
  pending: Pending,
  { name, kind, place }: { name: string; kind: string; place: Place },
): void {
  if (!["hosts", "children", "vars"].includes(kind)) {
    throw faultAt(place, `[${name}:${kind}]: a section is [group], [group:children] or [group:vars]`);
  }
  if (!model.groups.has(name)) {
    if (kind === "vars" && !pending.has(name)) pending.set(name, { place, state: "vars", parents: [] });
    addGroup(model, name, place);
  }
  if (kind === "vars" || !pending.has(name)) return;
  if (pending.get(name)?.state === "children") addAwaited(model, pending, name);
  else pending.delete(name);
}

/** A group that was named as a child before it was there. */
function addAwaited(model: Model, pending: Pending, name: string): void {
  const awaited = pending.get(name);
  if (!awaited) return;
  pending.delete(name);
  for (const parent of awaited.parents) {
    addChild(model, parent, name, awaited.place);
    if (pending.get(parent)?.state === "children") addAwaited(model, pending, parent);
  }
}

function hostLine(model: Model, group: string, line: string, place: Place): void {
  const words = wordsIn(line);
  if ("problem" in words) throw faultAt(place, `${line}: ${words.problem}`);
  const [pattern = "", ...assignments] = words;
  const hosts = hostsOf(pattern);
  if ("problem" in hosts) throw faultAt(place, hosts.problem);
  if (hosts.names.includes("---")) throw faultAt(place, "--- begins YAML; name the file .yml");
  const variables = assignments.map((word) => assignment(word, place));
  for (const host of hosts.names) {
    addHost(model, host, group, hosts.port, place);
    for (const [key, value] of variables) setVariable(model, host, key, evaluated(value), place);
  }
}

function varsLine(model: Model, group: string, line: string, place: Place): void {
  const [key, value] = assignment(line, place);
  setVariable(model, group, key.trim(), evaluated(value.trim()), place);
}

function assignment(text: string, place: Place): [key: string, value: string] {
  const at = text.indexOf("=");
  if (at < 0) throw faultAt(place, `${text}: write key=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function childLine(
  model: Model,
  pending: Pending,
  { group, line, place }: { group: string; line: string; place: Place },
): void {
  const child = groupName.exec(line)?.[1];
  if (child === undefined) throw faultAt(place, `${line} is not a group's name`);
  if (model.groups.has(child)) return addChild(model, group, child, place);
  const awaited = pending.get(child);
  if (awaited) awaited.parents.push(group);
  else pending.set(child, { place, state: "children", parents: [group] });
}

/** A YAML inventory, as Ansible reads it. */
import { faultAt } from "./faults.ts";
import { hostsOf } from "./hosts.ts";
import { type Model, addChild, addGroup, addHost, emptyModel, setVariable } from "./model.ts";
import { type Lines, readYaml } from "./pyyaml.ts";
import type { Place, Value } from "./values.ts";

type Reading = { model: Model; lines: Lines; file: string };

/** @throws RotaError INVENTORY */
export function readYamlInventory(text: string, file: string): Model {
  const lines = readYaml(text, file);
  const { value } = lines;
  const top = { file, line: 1 };
  if (value === null) throw faultAt(top, "the file is empty");
  if (!(value instanceof Map)) throw faultAt(top, "a YAML inventory is a map of groups");
  if (value.has("plugin") && value.get("plugin")) {
    throw faultAt(
      { file, line: lines.lineOf(value, "plugin") },
      "this configures a plugin that asks somebody else. Write down what it says: ansible-inventory -i FILE --list --yaml --export > hosts.yml",
    );
  }
  const reading = { model: emptyModel(file), lines, file };
  for (const [name, group] of value) readGroup(reading, name, group, placeOf(reading, value, name));
  return reading.model;
}

const placeOf = ({ lines, file }: Reading, map: Value, key: string): Place => ({
  file,
  line: lines.lineOf(map, key),
});

function readGroup(reading: Reading, name: string, content: Value, place: Place): void {
  if (content !== null && !(content instanceof Map)) return; // Ansible warns, and goes on
  const { model } = reading;
  addGroup(model, name, place);
  for (const [key, value] of content ?? []) {
    if (!["vars", "children", "hosts"].includes(key)) continue; // the same
    const section = typeof value === "string" ? new Map<string, Value>([[value, null]]) : value;
    const at = placeOf(reading, content, key);
    if (section !== null && !(section instanceof Map)) throw faultAt(at, `${key} of ${name} is no map`);
    for (const [word, below] of section ?? []) {
      const here = section === value ? placeOf(reading, section, word) : at;
      if (key === "vars") setVariable(model, name, word, below, here);
      else if (key === "hosts") readHosts(reading, name, word, below, here);
      else {
        readGroup(reading, word, below, here);
        if (!model.groups.has(word)) throw faultAt(here, `${word} is no group: it has no map`);
        addChild(model, name, word, here);
      }
    }
  }
}

function readHosts(reading: Reading, group: string, pattern: string, vars: Value, place: Place): void {
  const { model } = reading;
  const hosts = hostsOf(pattern);
  if ("problem" in hosts) throw faultAt(place, hosts.problem);
  // An empty one is as none.
  const own = vars === "" || vars === false || vars === 0 ? null : vars;
  if (own !== null && !(own instanceof Map)) throw faultAt(place, `the variables of ${pattern} are no map`);
  for (const host of hosts.names) {
    addHost(model, host, group, hosts.port, place);
    for (const [key, value] of own ?? []) setVariable(model, host, key, value, placeOf(reading, own, key));
  }
}

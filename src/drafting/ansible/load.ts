/** An Ansible inventory file, with the variables beside it. Nothing is run, and nothing is asked. */
import { statSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import { RotaError } from "../../base/errors.ts";
import { readText } from "../../inventory/file.ts";
import { faultAt, otherFile } from "./faults.ts";
import { readIni } from "./ini.ts";
import { type Model, reconcile, variablesOf } from "./model.ts";
import { readYaml } from "./pyyaml.ts";
import type { Variables } from "./values.ts";
import { readYamlInventory } from "./yaml.ts";
import { varsFilesIn } from "./vars-files.ts";

export interface Loaded {
  model: Model;
  /** What each host's variables come to. */
  variables: Map<string, Variables>;
  /** What was not read. */
  notes: string[];
}

/** @throws RotaError INVENTORY for what is not understood, with its line */
export function loadAnsible(file: string, folder: string): Loaded {
  const place = { file, line: 1 };
  if (statSync(resolve(folder, file), { throwIfNoEntry: false })?.isDirectory() === true) {
    throw faultAt(place, "is a folder; name one inventory file in it");
  }
  const text = readText(file, folder, otherFile);
  const model = modelIn(text, file);
  reconcile(model);
  const notes: string[] = [];
  const files = varsFilesIn(dirname(file), folder, (note) => notes.push(note));
  return { model, variables: variablesOf(model, files), notes };
}

/** The same for text that is already read. */
export function modelIn(text: string, file: string): Model {
  const place = { file, line: 1 };
  const ending = extname(file);
  if (text.startsWith("#!")) {
    throw faultAt(
      place,
      "is a program, and rota runs none. Write down what it says: ansible-inventory -i FILE --list --yaml --export > hosts.yml",
    );
  }
  if (text.startsWith("$ANSIBLE_VAULT")) throw faultAt(place, "is encrypted; ansible-vault view shows it");
  if (ending === ".toml") throw faultAt(place, "TOML is not read here; INI and YAML are");
  if ([".yml", ".yaml", ".json"].includes(ending)) return readYamlInventory(text, file);
  return ending === "" && isYamlMap(text, file) ? readYamlInventory(text, file) : readIni(text, file);
}

/** Ansible takes a file without an ending as YAML, if it can be. */
function isYamlMap(text: string, file: string): boolean {
  try {
    return readYaml(text, file).value instanceof Map;
  } catch (thrown) {
    if (thrown instanceof RotaError) return false;
    throw thrown;
  }
}

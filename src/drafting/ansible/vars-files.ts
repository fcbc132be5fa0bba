/** group_vars/ and host_vars/ beside an inventory: which files Ansible reads for a name, and what they say. */
import { readdirSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { type RotaError, messageOf } from "../../base/errors.ts";
import { readText } from "../../inventory/file.ts";
import { faultAt, leaveOut } from "./faults.ts";
import type { VarsFiles } from "./model.ts";
import { readYaml } from "./pyyaml.ts";
import type { Variables } from "./values.ts";

const endings = ["", ".yml", ".yaml", ".json"];

/** @param folder as the person wrote it @param base where that starts */
export function varsFilesIn(folder: string, base: string, note: (text: string) => void): VarsFiles {
  const known = new Map<string, Variables>();
  const read = (kind: "group_vars" | "host_vars", name: string): Variables => {
    const key = `${kind}/${name}`;
    const variables = known.get(key) ?? variablesIn(filesFor(join(folder, kind), name, base), base, note);
    known.set(key, variables);
    return variables;
  };
  return { ofGroup: (name) => read("group_vars", name), ofHost: (name) => read("host_vars", name) };
}

function filesFor(folder: string, name: string, base: string): string[] {
  // A name that leads elsewhere is of no file here.
  if (name.includes("/") || name.includes("\0") || name.startsWith(".")) return [];
  for (const path of endings.map((ending) => join(folder, name + ending))) {
    const kind = kindOf(path, base);
    if (kind === "folder") return filesBelow(path, base);
    if (kind === "file") return [path];
  }
  return [];
}

function filesBelow(folder: string, base: string): string[] {
  return namesIn(folder, base)
    .toSorted()
    .filter((name) => !name.startsWith(".") && !name.endsWith("~"))
    .flatMap((name) => {
      const path = join(folder, name);
      const [kind, ending] = [kindOf(path, base), extname(name)];
      if (kind === "folder") return ending === "" ? filesBelow(path, base) : [];
      return kind === "file" && endings.includes(ending) ? [path] : [];
    });
}

const at = (path: string, base: string): string => (path.startsWith("/") ? path : join(base, path));

/** A name that is too long for a file is that of none. */
function kindOf(path: string, base: string): "file" | "folder" | undefined {
  try {
    const stat = statSync(at(path, base), { throwIfNoEntry: false });
    return stat?.isDirectory() ? "folder" : stat?.isFile() ? "file" : undefined;
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENAMETOOLONG") return undefined;
    throw unreadable(path, thrown);
  }
}

function namesIn(folder: string, base: string): string[] {
  try {
    return readdirSync(at(folder, base));
  } catch (thrown) {
    throw unreadable(folder, thrown);
  }
}

const unreadable = (file: string, cause: unknown): RotaError =>
  faultAt({ file, line: 1 }, `can't be read: ${messageOf(cause)}`);

function variablesIn(files: string[], base: string, note: (text: string) => void): Variables {
  const variables: Variables = new Map();
  for (const file of files) {
    const text = readText(file, base, leaveOut);
    if (text.startsWith("$ANSIBLE_VAULT")) {
      note(`${file} is encrypted, and was not read`);
      continue;
    }
    const lines = readYaml(text, file);
    const { value } = lines;
    if (value === null) continue;
    if (!(value instanceof Map)) throw faultAt({ file, line: 1 }, "holds no map of variables");
    for (const [key, one] of value)
      variables.set(key, { value: one, place: { file, line: lines.lineOf(value, key) } });
  }
  return variables;
}

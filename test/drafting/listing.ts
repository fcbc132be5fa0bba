import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Loaded } from "../../src/drafting/ansible/load.ts";
import { Tagged, type Value } from "../../src/drafting/ansible/values.ts";

const folder = join(import.meta.dirname, "ansible");

/** Each example's inventory file. */
export const examples = readdirSync(folder).map((name) => {
  const files = readdirSync(join(folder, name)).filter((file) => !file.endsWith("_vars"));
  return join(folder, name, files[0] ?? "");
});

/** What `ansible-inventory --list` prints. */
export function listed({ model, variables }: Loaded): object {
  const groups = Object.fromEntries(
    [...model.groups.values()]
      .map(({ name, hosts, children }): [string, object] => [
        name,
        {
          ...(hosts.length > 0 && name !== "all" ? { hosts } : {}),
          ...(children.length > 0 ? { children } : {}),
        },
      ])
      .filter(([, group]) => Object.keys(group).length > 0),
  );
  const hostvars = Object.fromEntries(
    [...variables]
      .filter(([, vars]) => vars.size > 0)
      .map(([name, vars]) => [
        name,
        Object.fromEntries([...vars].map(([key, { value }]) => [key, plain(value)])),
      ]),
  );
  return { _meta: { hostvars }, ...groups };
}

function plain(value: Value): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Tagged) return { [`__ansible_${value.tag}`]: value.text };
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, one]) => [key, plain(one)]));
  return value;
}

import { RotaError } from "../base/errors.ts";
import { shortestSecret } from "../base/redact.ts";
import type { Fleet, Node, Pool } from "../inventory/fleet.ts";
import { placeholdersIn } from "../inventory/placeholders.ts";
import type { Io } from "./io.ts";

export interface Variables {
  variables: Record<string, string>;
  secrets: string[];
}

/**
 * What reaches a node's commands and check: its own variables, then --set, then rota's.
 * @throws RotaError USAGE for a variable of rota's own environment that is not set, or a secret too short to hide
 */
export function variablesOf(
  node: Node,
  set: Record<string, string>,
  fleet: string,
  env: Io["env"],
): Variables {
  const secrets: string[] = [];
  const own = Object.entries(node.vars).map(([name, variable]) => {
    if ("value" in variable) return [name, variable.value];
    const value = env[variable.env];
    if (value === undefined) {
      throw new RotaError("USAGE", {
        problem: `${node.name} needs ${name} from $${variable.env}, which is not set`,
        left: "nothing was touched",
        next: `export ${variable.env}=…, then the same again`,
      });
    }
    if (variable.secret) {
      if (value.length < shortestSecret) {
        throw new RotaError("USAGE", {
          problem: `the secret $${variable.env} is shorter than ${shortestSecret} characters: it could not be hidden`,
          left: "nothing was touched",
        });
      }
      // Output comes line by line: each line of a secret of several is hidden.
      secrets.push(value, ...value.split("\n").filter((line) => line.length >= shortestSecret));
    }
    return [name, value];
  });
  return {
    secrets,
    variables: { ...Object.fromEntries(own), ...set, ROTA_NODE: node.name, ROTA_FLEET: fleet },
  };
}

/** @throws RotaError USAGE where a deploy was not given what a pool says it needs */
export function checkNeeds(fleet: Fleet, pools: Pool[], set: Record<string, string>): void {
  const missing = pools.flatMap((pool) =>
    pool.needs.filter((name) => !(name in set)).map((name) => `${pool.name} needs ${name}`),
  );
  if (missing.length === 0) return;
  const names = [...new Set(pools.flatMap((pool) => pool.needs.filter((name) => !(name in set))))];
  throw new RotaError("USAGE", {
    problem: `${missing.join("; ")}, as ${fleet.file} says`,
    left: "nothing was touched",
    next: `the same with ${names.map((name) => `--set ${name}=…`).join(" ")}`,
  });
}

/** @throws RotaError USAGE where the check asks for a value that nobody gave */
export function checkTemplates(pool: Pool, node: Node, variables: Record<string, string>): void {
  const known = new Set([...Object.keys(variables), "host", "node", "server"]);
  const missing = placeholdersIn(`${pool.check.url} ${pool.check.body ?? ""}`).filter(
    (name) => !known.has(name),
  );
  if (missing.length === 0) return;
  throw new RotaError("USAGE", {
    problem: `the check of ${node.name} asks for ${missing.join(", ")}, and no earlier deploy of it is in the journal`,
    left: "nothing was touched",
    next: `the same with ${missing.map((name) => `--set ${name}=…`).join(" ")}`,
  });
}

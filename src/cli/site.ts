import { hostname, userInfo } from "node:os";
import { RotaError } from "../base/errors.ts";
import { haproxies } from "../balancer/balancers.ts";
import { findInventory } from "../inventory/find.ts";
import type { Fleet, Node, Pool } from "../inventory/fleet.ts";
import { loadInventory } from "../inventory/load.ts";
import { selectNodes } from "../inventory/select.ts";
import type { Balancers } from "../rotation/ports.ts";
import type { Io } from "./io.ts";

/** What every command begins with: which fleet, and how its balancers are reached. */
export interface Site {
  fleet: Fleet;
  balancers: Balancers;
  /** The words to write before the nodes in an advice: "-i FILE", where one was given. */
  inventoryWords: string;
}

export function openSite(inventory: string | undefined, io: Io): Site {
  const file = findInventory({ given: inventory, env: io.env, cwd: io.cwd });
  const fleet = loadInventory(file);
  return {
    fleet,
    balancers: haproxies(fleet.balancers),
    inventoryWords: inventory === undefined ? "" : ` -i ${inventory}`,
  };
}

/** Nodes chosen on the command line, and which of them by their own name. */
export function choose(fleet: Fleet, words: string[]): { nodes: Node[]; named: Set<string> } {
  return { nodes: selectNodes(fleet, words), named: new Set(words) };
}

export const poolOf = (fleet: Fleet, node: Node): Pool => {
  const pool = fleet.pools.find(({ nodes }) => nodes.some(({ name }) => name === node.name));
  if (!pool) throw new RangeError(`no pool has the node ${node.name}`);
  return pool;
};

/** Who does this, for the journal and for the next person: user, host, and the CI job where there is one. */
export function whoIsThis(env: Io["env"]): string {
  const job =
    env["CI_JOB_URL"] ??
    env["BUILD_URL"] ??
    (env["GITHUB_RUN_ID"] ? `${env["GITHUB_REPOSITORY"]} run ${env["GITHUB_RUN_ID"]}` : undefined);
  return `${userInfo().username}@${hostname()}${job ? ` (${job})` : ""}`;
}

/** KEY=VALUE words of --set. @throws RotaError USAGE */
export function readSet(words: string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const [, key, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(word) ?? [];
      if (key === undefined || value === undefined || key.startsWith("ROTA_") || value.includes("\0")) {
        throw new RotaError("USAGE", {
          problem: `--set ${word}: write KEY=VALUE, KEY of letters, digits and _, not ROTA_…`,
        });
      }
      return [key, value];
    }),
  );
}

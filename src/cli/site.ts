import { hostname, userInfo } from "node:os";
import { RotaError } from "../base/errors.ts";
import { printable } from "../base/quote.ts";
import { haproxies } from "../balancer/balancers.ts";
import { findInventory } from "../inventory/find.ts";
import { type Balancer, type Fleet, type Node, balancersOf } from "../inventory/fleet.ts";
import { thisMachine } from "../inventory/here.ts";
import { loadInventory } from "../inventory/load.ts";
import { shown } from "../inventory/names.ts";
import { nearest } from "../inventory/near.ts";
import { selectNodes } from "../inventory/select.ts";
import type { Balancers } from "../rotation/ports.ts";
import type { Io } from "./io.ts";

/** What every command begins with: which fleet, which of its nodes, and their balancers, to be closed at its end. */
export interface Site extends AsyncDisposable {
  fleet: Fleet;
  /** Chosen on the command line, in the order of the file. */
  nodes: Node[];
  /** The balancers of these nodes' pools; others are not asked. */
  balancers: Balancers;
  /** Balancers to go on without, where they don't answer. */
  tolerated: ReadonlySet<string>;
}

export interface SiteArgs {
  inventory?: string | undefined;
  nodes: string[];
  tolerate?: string[] | undefined;
  json?: boolean | undefined;
}

/** The fleet that is meant. @throws RotaError USAGE, INVENTORY */
export const fleetOf = (inventory: string | undefined, { env, cwd }: Io): Fleet =>
  loadInventory(findInventory({ given: inventory, env, cwd }), thisMachine(cwd));

/** @throws RotaError USAGE, INVENTORY */
export function openSite({ inventory, nodes: words, tolerate }: SiteArgs, io: Io): Site {
  const fleet = fleetOf(inventory, io);
  const nodes = selectNodes(fleet, words);
  const pools = fleet.pools.filter((pool) => pool.nodes.some((node) => nodes.includes(node)));
  const concerned = new Set(pools.flatMap((pool) => balancersOf(fleet, pool)));
  // Where nodes leave by their own page, a balancer is only read.
  const told = new Set(pools.filter((pool) => !pool.statusPage).flatMap((pool) => pool.balancers));
  const onlyRead = new Set([...concerned].map(({ name }) => name).filter((name) => !told.has(name)));
  const balancers = balancersAt([...concerned], io, onlyRead);
  const tolerated = toleratedOf(tolerate, fleet);
  return {
    fleet,
    nodes,
    balancers,
    tolerated,
    [Symbol.asyncDispose]: () => balancers[Symbol.asyncDispose](),
  };
}

/** Names of --tolerate. @throws RotaError USAGE */
export function toleratedOf(words: string[] = [], { balancers, file }: Fleet): Set<string> {
  const names = balancers.map(({ name }) => name);
  for (const word of words.filter((one) => !names.includes(one))) {
    const meant = nearest(word, names);
    throw new RotaError("USAGE", {
      problem: `--tolerate ${shown(word)}: ${file} has no such balancer`,
      next: `--tolerate ${meant ?? names[0] ?? ""}; there are ${names.join(", ")}`,
    });
  }
  return new Set(words);
}

export const balancersAt = (
  list: Balancer[],
  { env }: Io,
  onlyRead?: ReadonlySet<string>,
): Balancers & AsyncDisposable => haproxies(list, undefined, sshOf(env), onlyRead);

/** What SSH takes from a person's environment. */
export const sshOf = (env: Io["env"]) => ({
  agent: env["SSH_AUTH_SOCK"],
  sshConfig: env["ROTA_SSH_CONFIG"],
});

/** Who does this, for the journal and for the next person: $ROTA_BY, else user, host, and the CI job where there is one. */
export function whoIsThis(env: Io["env"]): string {
  if (env["ROTA_BY"]) return printable(env["ROTA_BY"]).slice(0, 200);
  const job = env["CI_JOB_URL"] ?? env["BUILD_URL"] ?? githubRun(env);
  return `${userInfo().username}@${hostname()}${job ? ` (${job})` : ""}`;
}

const githubRun = (env: Io["env"]): string | undefined =>
  env["GITHUB_RUN_ID"] && `${env["GITHUB_REPOSITORY"]} run ${env["GITHUB_RUN_ID"]}`;

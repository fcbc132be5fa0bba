/** What a plan is warned of beyond its own nodes: what differs, and what could not be noticed. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Fleet, Pool } from "../inventory/fleet.ts";
import { nearest } from "../inventory/near.ts";
import { placeholdersIn } from "../inventory/placeholders.ts";
import { driftOf } from "../rotation/plan/drift.ts";
import { entriesOfNode } from "../rotation/plan/entries.ts";
import { type Plan } from "../rotation/plan/plan.ts";
import type { Survey } from "../rotation/ports.ts";
import type { Site } from "./site.ts";

/** Milliseconds for all names together: a name that takes longer is not compared. */
const lookupWithin = 1_000;

/** Adds to a plan of a deploy what a person should look at before it. Nothing of it refuses. */
export async function warn(
  plan: Plan,
  site: Site,
  survey: Survey,
  set: Record<string, string>,
): Promise<void> {
  const { fleet } = site;
  const nodes = fleet.pools.flatMap((pool) =>
    pool.nodes
      .filter((node) => site.nodes.includes(node))
      .map((node) => ({ pool, node, entries: entriesOfNode(fleet, pool, node, survey).entries })),
  );
  const addresses = await addressesOf([...new Set(nodes.map(({ node }) => node.host))]);
  plan.drift.push(...driftOf({ fleet, survey, nodes, addresses }));
  plan.notes.push(...plan.pools.flatMap(({ pool }) => sayUnproven(pool)), ...sayUnknown(fleet, set));
}

export async function addressesOf(hosts: string[]): Promise<Map<string, string[]>> {
  const late = AbortSignal.timeout(lookupWithin);
  const end = new Promise<undefined>((resolve) => late.addEventListener("abort", () => resolve(undefined)));
  const found = await Promise.all(
    hosts.map(async (host) => {
      if (isIP(host) > 0) return [host];
      const all = lookup(host, { all: true }).catch(() => undefined);
      return (await Promise.race([all, end]))?.map(({ address }) => address);
    }),
  );
  return new Map(hosts.flatMap((host, i) => (found[i] ? [[host, found[i]]] : [])));
}

/** A check of the body shows a restart only where the body must change with it. */
function sayUnproven({ name, restart, check }: Pool): string[] {
  const shows = restart.via !== "command" || restart.proof !== undefined;
  if (shows || placeholdersIn(check.body ?? "").length > 0) return [];
  return [
    `${name}: a restart that does nothing would not be noticed: neither a restart.proof nor a {NAME} in check.body`,
  ];
}

/** A slip in a name would reach every command, and change nothing. */
function sayUnknown({ pools }: Fleet, set: Record<string, string>): string[] {
  const text = JSON.stringify(pools);
  const strangers = Object.keys(set).filter((key) => !new RegExp(`\\b${key}\\b`).test(text));
  const needs = new Set(pools.flatMap((pool) => pool.needs));
  return strangers.map((key) => {
    const meant = nearest(key, needs);
    const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
    return `--set ${key}: nothing in the inventory names it (needs, vars, check, commands)${hint}`;
  });
}

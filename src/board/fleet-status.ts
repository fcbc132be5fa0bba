/** What a fleet looks like now: what every balancer sees, joined with what the journal knows. Pure. */
import { isIP } from "node:net";
import { messageOf } from "../base/errors.ts";
import { printable } from "../base/quote.ts";
import type { Fleet, Node, Pool } from "../inventory/fleet.ts";
import { placeholdersIn } from "../inventory/placeholders.ts";
import { driftOf } from "../rotation/plan/drift.ts";
import { entriesOfNode } from "../rotation/plan/entries.ts";
import { samePlace } from "../rotation/place.ts";
import type { Backend, Entry, Survey } from "../rotation/ports.ts";
import type { Absence } from "../rotation/records.ts";

export interface NodeStatus {
  pool: string;
  name: string;
  entries: Entry[];
  /** What it was given by the last deploy that put it back: "42"; undefined where no deploy is known. */
  release: string | undefined;
  absence: Absence | undefined;
  /** Why our own run left it out. */
  failure: string | undefined;
  /** The step of the run under way that has it. */
  step: string | undefined;
  /** What must not be so, in words: it serves and should not. */
  wrong: string | undefined;
}

export interface FleetStatus {
  fleet: string;
  nodes: NodeStatus[];
  backends: Backend[];
  /** Who changes the fleet now, in words. */
  lease: string | undefined;
  /** Runs that nobody finished, in words. */
  unfinished: string[];
  /** Balancers that could not be read, and why; nodes that are nowhere. */
  problems: string[];
  /** Where the balancers disagree, among themselves or with the inventory; nodes of a pool that run different releases. */
  drift: string[];
}

/** What the journal knows. */
export interface Past {
  absences: ReadonlyMap<string, Absence>;
  /** By node: why our own runs left it out. */
  failures: ReadonlyMap<string, string>;
  /** By node: what it was given with --set. */
  sets: ReadonlyMap<string, Record<string, string>>;
  /** By node: the step that the run under way does there. */
  steps: ReadonlyMap<string, string>;
  lease: string | undefined;
  unfinished: string[];
}

export function fleetStatus(fleet: Fleet, chosen: Node[], survey: Survey, past: Past): FleetStatus {
  const wanted = new Set(chosen);
  const seen = fleet.pools.flatMap((pool) =>
    pool.nodes
      .filter((node) => wanted.has(node))
      .map((node) => ({ pool, node, ...entriesOfNode(fleet, pool, node, survey) })),
  );
  const nodes = seen.map(({ pool, node: { name }, entries }) => {
    const absence = past.absences.get(name);
    const own = { absence, failure: past.failures.get(name), step: past.steps.get(name) };
    const release = releaseIn(past.sets.get(name), pool);
    return { pool: pool.name, name, entries, release, ...own, wrong: wrongWith(entries, absence) };
  });
  const wrong = new Set(nodes.flatMap(({ name, wrong: what }) => (what === undefined ? [] : [name])));
  const drift = driftOf({
    fleet,
    survey,
    // Whoever reads that a node is wrong needs no second line on it.
    nodes: seen.filter(({ node }) => !wrong.has(node.name)),
    // Names are looked up by `plan`; here that could take longer than all the rest.
    addresses: new Map(seen.flatMap(({ node: { host } }) => (isIP(host) > 0 ? [[host, [host]]] : []))),
  });
  return {
    fleet: fleet.name,
    nodes,
    backends: survey.backends,
    lease: past.lease,
    unfinished: past.unfinished,
    problems: [
      ...survey.unread.map(({ error }) => messageOf(error)),
      ...seen.flatMap(({ lacks }) => lacks),
      ...goneOf(fleet, past.absences),
    ],
    drift: [
      ...drift.filter(({ kind }) => kind === "state").map(({ text }) => text),
      ...releasesThatDiffer(nodes),
      ...drift.filter(({ kind }) => kind !== "state").map(({ text }) => text),
    ],
  };
}

function goneOf({ pools }: Fleet, absences: Past["absences"]): string[] {
  const all = new Set(pools.flatMap((pool) => pool.nodes.map(({ name }) => name)));
  return [...absences.values()]
    .filter(({ node }) => !all.has(node))
    .map(
      ({ node, run, by }) => `${node} was taken out by run ${run} (${by}), and is no longer in the inventory`,
    );
}

/** What the pool's deploys must be given; else whatever its check looks for. */
function releaseIn(set: Record<string, string> | undefined, pool: Pool): string | undefined {
  const names = pool.needs.length > 0 ? pool.needs : ["RELEASE", ...placeholdersIn(pool.check.body ?? "")];
  const values = [...new Set(names)].flatMap((name) => set?.[name] ?? []);
  return values.length === 0 ? undefined : printable(values.join(" "));
}

function releasesThatDiffer(nodes: NodeStatus[]): string[] {
  return [...groupBy(nodes, ({ pool }) => pool)].flatMap(([pool, all]) => {
    const known = groupBy(
      all.filter(({ release }) => release !== undefined),
      ({ release = "" }) => release,
    );
    if (known.size < 2) return [];
    const said = [...known]
      .toSorted(([, a], [, b]) => b.length - a.length)
      .map(
        ([release, some]) =>
          `${release} (${some.length > 3 ? some.length : some.map(({ name }) => name).join(", ")})`,
      );
    return [`${pool} runs more than one release: ${said.join(", ")}`];
  });
}

function groupBy<T>(all: T[], by: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) groups.set(by(one), [...(groups.get(by(one)) ?? []), one]);
  return groups;
}

/** Also where a run did without a balancer that answers again: nobody can have told that one. */
function wrongWith(entries: Entry[], absence: Absence | undefined): string | undefined {
  if (!absence) return undefined;
  const serving = entries.filter((entry) => !entry.outBecause);
  const wasFound = (entry: Entry): boolean => absence.found.some((place) => samePlace(place, entry));
  if (serving.some(wasFound)) return "should be out and is IN ROTATION";
  const out = entries.filter((entry) => entry.outBecause === "person");
  if (serving.length === 0 || out.length === 0) return undefined;
  return `is out on ${sayWhere(out)} and IN ROTATION on ${sayWhere(serving)}`;
}

const sayWhere = (entries: Entry[]): string => entries.map((e) => `${e.balancer}/${e.backend}`).join(", ");

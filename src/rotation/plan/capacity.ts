/** What a backend can spare, and whose lack it is where it can't. Pure. */
import { type Share, shareOf } from "../../inventory/fleet.ts";
import { samePlace } from "../place.ts";
import type { Absent, Backend, Entry } from "../ports.ts";
import type { Absence } from "../records.ts";

/** What leaves a backend together. */
export interface Leaving {
  servers: number;
  weight: number;
}

export const leavingOf = (entries: Entry[]): Leaving => ({
  servers: entries.length,
  weight: entries.reduce((sum, { weight }) => sum + weight, 0),
});

const nothing: Leaving = { servers: 0, weight: 0 };

/** min_serving, counted: of servers, and, for a percent where their weights differ, of the weight too. */
export interface Least {
  servers: number;
  weight: number;
}

export const leastOf = ({ servers, weight }: Backend, minServing: Share): Least => ({
  servers: shareOf(minServing, servers, "up"),
  weight: "percent" in minServing && weight ? shareOf(minServing, weight.whole, "up") : 0,
});

/** Knows the nodes that are out because of us, by name, and the run that asks. */
export interface Knowing {
  absences: ReadonlyMap<string, Absence>;
  run: string | undefined;
}

/**
 * Why this backend can't spare what would leave; undefined where it can.
 *
 * @param gone what has leave already, and still counts as serving
 */
export function lackOf(
  backend: Backend,
  minServing: Share,
  leaving: Leaving,
  knowing: Knowing,
  gone: Leaving = nothing,
): string | undefined {
  if (leaving.servers === 0) return undefined;
  const { servers, weight } = backend;
  const serving = backend.serving - gone.servers;
  const least = leastOf(backend, minServing);
  if (serving - leaving.servers < least.servers)
    return say(backend, `${serving} of ${servers} serve, ${least.servers} must stay`, knowing);
  const weighs = (weight?.serving ?? 0) - gone.weight;
  if (!weight || weighs - leaving.weight >= least.weight) return undefined;
  const what = `weight ${weighs} of ${weight.whole} serves, ${least.weight} must stay, and ${leaving.weight} would leave`;
  return say(backend, what, knowing);
}

export const sayBackend = ({ balancer, backend }: { balancer: string; backend: string }): string =>
  `${balancer}/${backend}`;

/** "lb1/app: 2 of 4 serve, 2 must stay (out: web3 DOWN; web4 MAINT, by somebody else)" */
function say(backend: Backend, what: string, knowing: Knowing): string {
  const out = backend.absent.slice(0, mostNamed).map((absent) => sayAbsent(absent, knowing));
  const more = backend.absent.length - out.length;
  const all = [...out, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
  return `${sayBackend(backend)}: ${what}${all && ` (out: ${all})`}`;
}

const mostNamed = 8;

function sayAbsent(absent: Absent, { absences, run }: Knowing): string {
  const { server, status, weight, outBecause, tracks } = absent;
  const up = /^(UP|no check)/.test(status);
  const seen = weight > 0 ? status : up ? "weight 0" : `${status}, weight 0`;
  const said = `${server} ${seen}`;
  const ours = [...absences.values()].find(({ found }) => found.some((place) => samePlace(place, absent)));
  if (ours?.kind === "hold")
    return `${said}, held by ${ours.by}${ours.reason === undefined ? "" : ` (${ours.reason})`}`;
  if (ours) return `${said}, ${ours.run === run ? "by this run" : `left out by run ${ours.run}`}`;
  // A failing check is told by the word alone, and so is a page that answers 404.
  if (outBecause !== "person" || status.startsWith("NOLB")) return said;
  if (tracks !== undefined) return status.includes("(via ") ? said : `${said}, as ${tracks} is`;
  return `${said}, by somebody else`;
}

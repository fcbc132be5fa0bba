/** A plan as lines. Pure. */
import { basename } from "node:path";
import { sayDuration } from "../base/duration.ts";
import type { Pool } from "../inventory/fleet.ts";
import { isOvertaken } from "../rotation/ahead.ts";
import { type Plan, type PoolPlan, tripsOf } from "../rotation/plan/plan.ts";
import { sayRelease } from "../rotation/release/release.ts";
import { type Trip, isToPrepare } from "../rotation/world.ts";
import { batchRows } from "./plan-batches.ts";
import { columns, count } from "./width.ts";

/** @param nodeTook milliseconds that a node took lately, if any run was recorded */
export function planLines(plan: Plan, nodeTook: number | undefined): string[] {
  return [
    ...plan.pools.flatMap((pool) => poolLines(pool, plan.refusals.length > 0)),
    ...(plan.leftAlone.length > 0 ? ["left alone:"] : []),
    ...indent(columns(plan.leftAlone.map(({ node, why }) => [node, why]))),
    ...(plan.drift.length > 0 ? ["inventory and balancers differ:"] : []),
    ...indent(plan.drift.map(({ text }) => text)),
    ...plan.notes.map((text) => `note: ${text}`),
    tripsOf(plan).length > 0 ? sayTime(plan, nodeTook) : "nothing to do",
  ];
}

/** @param refused What stands in the way comes next, and is not to be looked for below a hundred batches. */
function poolLines(plan: PoolPlan, refused: boolean): string[] {
  const { pool, batches, smaller, once } = plan;
  const trips = batches.flatMap((batch) => batch.trips);
  const inBatches = `in ${batches.length} batch${batches.length === 1 ? "" : "es"}`;
  const rows = refused ? [] : batchRows(plan);
  return [
    `${pool.name}: ${trips.length} of ${count(pool.nodes.length, "node")} ${inBatches}`,
    ...indent(sayReleases(pool, trips)),
    ...indent(sayPrepare(trips)),
    ...indent(
      once === undefined
        ? []
        : [`once, on ${trips[0]?.node.name}, before it leaves: ${once.trim().split("\n")[0]}`],
    ),
    ...indent(columns(rows)),
    ...indent(smaller ? [`batches of ${smaller.size} instead of ${smaller.wanted}: ${smaller.why}`] : []),
    ...indent(trips.flatMap(sayNote)),
    ...indent(saySoak(plan)),
    ...indent(sayWay(pool)),
  ];
}

const indent = (lines: string[]): string[] => lines.map((line) => `  ${line}`);

/** "release 42-3f2a9c1b77de (build-42.tar.gz, 20 MB) to 4 nodes first, while they serve" */
function sayReleases({ release: wanted }: Pool, trips: Trip[]): string[] {
  if (!wanted) return [];
  const nodes = new Map<string, number>();
  for (const { release } of trips.filter(isToPrepare)) {
    const said = release && sayRelease(release);
    if (said !== undefined) nodes.set(said, (nodes.get(said) ?? 0) + 1);
  }
  if (trips.every(({ release }) => release === undefined))
    return [
      `release ${basename(wanted.upload)} to each node first; which one it is, is not known without --set`,
    ];
  return [...nodes].map(
    ([said, to]) =>
      `release ${said} to ${count(to, "node")} first, where it is not there already, while they serve`,
  );
}

function sayPrepare(trips: Trip[]): string[] {
  const first = trips.filter((trip) => trip.prepare !== undefined && isToPrepare(trip));
  return first.length > 0 ? [`prepare on ${count(first.length, "node")} first, while they serve`] : [];
}

function saySoak(plan: PoolPlan): string[] {
  const { soak, inconclusive } = plan.pool.rollout;
  if (soak === 0) return [];
  const unsure = inconclusive === "go-on" ? "; where that does not tell, it goes on" : "";
  const ahead = `the next one leaves meanwhile, is changed only when that has ended well, and else goes back as found; each batch counts as back while it is watched`;
  return [
    `each batch is watched under traffic for ${sayDuration(soak)} once it is back${unsure}`,
    ...(isAnyOvertaken(plan) ? [ahead] : []),
  ];
}

const isAnyOvertaken = (plan: PoolPlan): boolean => plan.batches.some((_, at) => isOvertaken(plan, at));

/** Milliseconds of all batches, in words. */
function sayWatch({ pools }: Plan, soak: number): string {
  if (soak === 0) return "";
  const ahead = pools.some(isAnyOvertaken) ? ", while others leave" : "";
  return `${sayDuration(soak)} of it under watch${ahead}`;
}

const soakOf = ({ pools }: Plan): number =>
  pools.reduce((sum, { pool, batches }) => sum + pool.rollout.soak * batches.length, 0);

function sayWay({ statusPage, balancers, stays }: Pool): string[] {
  if (stays)
    return [
      "stays in rotation while it is worked on; one that fails goes back to what it ran, or is taken out, if it can be spared",
    ];
  if (!statusPage) return [];
  const uncounted =
    balancers.length === 0
      ? "; no balancer can be asked: min_serving is not counted, only the batch is kept to, and each wait lasts as long as HAProxy's checks may take"
      : "";
  return [`leaves by its status page${uncounted}`];
}

const sayNote = ({ node, note }: Trip): string[] => (note === undefined ? [] : [`${node.name} ${note}`]);

function sayTime(plan: Plan, nodeTook: number | undefined): string {
  const soak = soakOf(plan);
  const soaking = sayWatch(plan, soak);
  if (nodeTook === undefined)
    return `expected time: not known yet; no finished deploy of this fleet is in the journal${soaking && `; ${soaking}`}`;
  const batches = plan.pools.flatMap((pool) => pool.batches);
  const lately = `${sayDuration(nodeTook)} a batch lately`;
  return `expected time: about ${sayDuration(batches.length * nodeTook + soak)} (${lately}${soaking && `; ${soaking}`})`;
}

import { type Fleet, balancersOf } from "../inventory/fleet.ts";
import type { Lease } from "../journal/keep.ts";
import { asFound } from "../rotation/leave.ts";
import { samePlace } from "../rotation/place.ts";
import { entriesOfNode } from "../rotation/plan/entries.ts";
import type { Entry, Survey } from "../rotation/ports.ts";
import type { Absence } from "../rotation/records.ts";
import { goneAt, unreadErrors } from "../rotation/plan/tolerance.ts";
import type { Io } from "./io.ts";
import { refuse } from "./refuse.ts";
import { balancersAt } from "./site.ts";

export interface Where {
  fleet: Fleet;
  tolerated: ReadonlySet<string>;
}

/**
 * Nodes that a run left out stay out, as a person's hold. The balancers are told first, and the journal last: it knows
 * the nodes already, and whoever types it again after a failure in between must find them as they were.
 *
 * @throws RotaError before anything was told, where a balancer can't be read
 */
export async function hold(
  out: Absence[],
  whose: { by: string; reason: string },
  { fleet, tolerated }: Where,
  lease: Lease,
  io: Io,
): Promise<void> {
  // There the page keeps the node out, and no balancer may be told anything.
  const byPage = new Set(
    fleet.pools.filter((p) => p.statusPage).flatMap((p) => p.nodes.map(({ name }) => name)),
  );
  const told = out.filter(({ node }) => !byPage.has(node));
  await using balancers = balancersAt(concernedBy(told, fleet), io);
  const survey = await balancers.survey("read");
  const gone = goneAt(survey, tolerated);
  refuse({ refusals: unreadErrors(survey, gone, fleet) });
  if (gone.size > 0) io.err(`${[...gone].join(", ")}: no answer, so nothing was told there (--tolerate)`);
  const entries = new Map(told.map((absence) => [absence, entriesOf(absence, survey, fleet)]));
  const serving = [...entries.values()].flat().filter(({ admin }) => admin === "ready");
  await lease.mustHold();
  await balancers.set(serving, "maint");
  for (const absence of out) {
    // One that the run did without, and that answers now, was told too.
    const also = (entries.get(absence) ?? []).filter((entry) => !isFound(entry, absence)).map(asFound);
    // What is a hold already is its owner's.
    const kept = absence.kind === "hold" ? absence : { ...absence, kind: "hold" as const, ...whose };
    await lease.journal.takenOut(fleet.name, { ...kept, found: [...absence.found, ...also] });
  }
}

function concernedBy(out: Absence[], fleet: Fleet): Fleet["balancers"] {
  const names = new Set(
    out.flatMap(({ node, found }) => [
      ...found.map(({ balancer }) => balancer),
      ...fleet.pools
        .filter(({ nodes }) => nodes.some(({ name }) => name === node))
        .flatMap((pool) => balancersOf(fleet, pool).map(({ name }) => name)),
    ]),
  );
  return fleet.balancers.filter(({ name }) => names.has(name));
}

/** Where the node is now, as the inventory has it, and where it was: a place that is no more need not be told. */
function entriesOf(absence: Absence, survey: Survey, fleet: Fleet): Entry[] {
  const own = fleet.pools.flatMap((pool) =>
    pool.nodes
      .filter(({ name }) => name === absence.node)
      .flatMap((node) => entriesOfNode(fleet, pool, node, survey).entries),
  );
  return survey.entries.filter((entry) => own.includes(entry) || isFound(entry, absence));
}

const isFound = (entry: Entry, { found }: Absence): boolean => found.some((place) => samePlace(place, entry));

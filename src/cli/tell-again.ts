import { systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { FleetStatus } from "../board/fleet-status.ts";
import type { OpenJournal } from "../journal/journal.ts";
import { keepLease } from "../journal/keep.ts";
import { thisProcess } from "../journal/process.ts";
import type { Entry } from "../rotation/ports.ts";
import type { Absence } from "../rotation/records.ts";
import { samePlace } from "../rotation/place.ts";
import type { Io } from "./io.ts";
import { type Site, whoIsThis } from "./site.ts";

/** Milliseconds after a try that did not help. */
const rest = 10_000;

/**
 * A balancer that was reloaded has forgotten which nodes are out. Whoever looks at the fleet all the time tells it again,
 * under the lease; while somebody else has that, it is theirs to notice.
 */
export function tellAgain(site: Site, journal: OpenJournal, io: Io): (seen: FleetStatus) => Promise<void> {
  let [busy, notBefore] = [false, 0];
  const byPage = new Set(
    site.fleet.pools.filter((p) => p.statusPage).flatMap((p) => p.nodes.map(({ name }) => name)),
  );
  return async (seen) => {
    const wrong = seen.nodes.filter(({ name, wrong: what }) => what !== undefined && !byPage.has(name));
    if (busy || wrong.length === 0 || seen.lease !== undefined || systemClock.now() < notBefore) return;
    busy = true;
    try {
      const told = await tell(
        wrong.map(({ name }) => name),
        site,
        journal,
        io,
      );
      for (const text of told) io.err(text);
    } catch (thrown) {
      io.err(`what a balancer has forgotten could not be told again: ${messageOf(thrown)}`);
    } finally {
      notBefore = systemClock.now() + rest;
      busy = false;
    }
  };
}

async function tell(names: string[], site: Site, journal: OpenJournal, io: Io): Promise<string[]> {
  const fleet = site.fleet.name;
  const by = whoIsThis(io.env);
  const claim = { fleet, by, command: "console", reason: "a balancer was reloaded", ...thisProcess() };
  const taken = await journal.take(claim);
  if (!("epoch" in taken)) return [];
  await using lease = keepLease(journal, fleet, taken.epoch, systemClock);
  // Decided by what is so now: it may have come back on purpose since.
  const absences = [...(await journal.absences(fleet)).values()].filter(({ node }) => names.includes(node));
  const { entries } = await site.balancers.survey("change");
  const told: string[] = [];
  for (const absence of absences) {
    const back = entries.filter((entry) => entry.admin === "ready" && wasFound(entry, absence));
    if (back.length === 0) continue;
    await lease.mustHold();
    // A person's hold was a drain; what a run left out may be ill.
    await site.balancers.set(back, absence.kind === "hold" ? "drain" : "maint");
    const what = `${absence.node} at ${back.map(({ balancer, backend }) => `${balancer}/${backend}`).join(", ")}`;
    await journal.did({ deed: "tell again", fleet, run: absence.run, by, reason: claim.reason, what });
    told.push(`told again that ${what} is out`);
  }
  return told;
}

const wasFound = (entry: Entry, { found }: Absence): boolean =>
  found.some((place) => samePlace(place, entry));

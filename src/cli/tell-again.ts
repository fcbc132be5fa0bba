import { systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { FleetStatus } from "../board/fleet-status.ts";
import type { OpenJournal } from "../journal/journal.ts";
import { keepLease } from "../journal/keep.ts";
import { thisProcess } from "../journal/process.ts";
import type { Balancers, Entry } from "../rotation/ports.ts";
import type { Absence } from "../rotation/records.ts";
import { samePlace, sayPlace } from "../rotation/place.ts";
import type { Io } from "./io.ts";
import { type Site, whoIsThis } from "./site.ts";

/** Milliseconds after a try that did not help. */
const rest = 10_000;

const failed = "what a balancer has forgotten could not be told again";

/**
 * A balancer that was reloaded has forgotten which nodes are out. Whoever looks at the fleet all the time tells it again,
 * under the lease; while somebody else has that, it is theirs to notice. A worker forgets nothing: where the one that had
 * it out serves it, somebody put it back by hand, and is not fought; the page says that it should be out.
 */
export function tellAgain(site: Site, journal: OpenJournal, io: Io): (seen: FleetStatus) => Promise<void> {
  let [busy, notBefore] = [false, 0];
  const workers = workersOf(site.balancers);
  const byPage = new Set(
    site.fleet.pools.filter((p) => p.statusPage).flatMap((p) => p.nodes.map(({ name }) => name)),
  );
  return async (seen) => {
    if (busy) return;
    const out = seen.nodes.flatMap(({ name, absence, entries }) =>
      absence && !byPage.has(name) ? [{ absence, entries }] : [],
    );
    busy = true;
    try {
      await workers.learn(out);
      if (seen.lease !== undefined || systemClock.now() < notBefore) return;
      // What is not for us to set right takes nobody's lease.
      const wrong = await Promise.all(
        out.map(async ({ absence, entries }) =>
          (await workers.forgot(entries, absence)).length > 0 ? absence : [],
        ),
      );
      const names = wrong.flat().map(({ node }) => node);
      if (names.length === 0) return;
      notBefore = systemClock.now() + rest;
      for (const text of await tell(names, { site, journal, workers, io })) io.err(text);
    } catch (thrown) {
      notBefore = systemClock.now() + rest;
      io.err(`${failed}: ${messageOf(thrown)}`);
    } finally {
      busy = false;
    }
  };
}

interface Out {
  absence: Absence;
  entries: Entry[];
}

interface Workers {
  /** Which workers have these out. */
  learn(out: Out[]): Promise<void>;
  /** Places that serve because a worker is new. */
  forgot(entries: Entry[], absence: Absence): Promise<Entry[]>;
}

/** Which worker of HAProxy was seen to have a place out. */
function workersOf(balancers: Balancers): Workers {
  let known = new Map<string, number>();
  return {
    async learn(out) {
      const places = new Map(
        out.flatMap(({ absence, entries }) =>
          entries.filter((entry) => wasFound(entry, absence)).map((entry) => [keyOf(entry, absence), entry]),
        ),
      );
      known = new Map([...known].filter(([key]) => places.has(key)));
      const unknown = [...places].filter(([key, { admin }]) => admin !== "ready" && !known.has(key));
      if (unknown.length === 0) return;
      const activity = await balancers.watch(unknown.map(([, entry]) => entry)).catch(() => []);
      for (const [key, entry] of unknown) {
        // It may have been reloaded since the look.
        const now = activity.find((one) => samePlace(one, entry));
        if (now?.out === true) known.set(key, now.process);
      }
    },
    async forgot(entries, absence) {
      const back = entries.filter((entry) => entry.admin === "ready" && wasFound(entry, absence));
      if (!back.some((entry) => known.has(keyOf(entry, absence)))) return back;
      const activity = await balancers.watch(back);
      return back.filter((entry) => {
        const now = activity.find((one) => samePlace(one, entry));
        const isNew = now !== undefined && now.process !== known.get(keyOf(entry, absence));
        if (isNew) known.delete(keyOf(entry, absence));
        return isNew;
      });
    },
  };
}

const keyOf = (entry: Entry, { node, since }: Absence): string =>
  `${node} ${since.getTime()} ${sayPlace(entry)}`;

const wasFound = (entry: Entry, { found }: Absence): boolean =>
  found.some((place) => samePlace(place, entry));

interface Means {
  site: Site;
  journal: OpenJournal;
  workers: Workers;
  io: Io;
}

async function tell(names: string[], { site, journal, workers, io }: Means): Promise<string[]> {
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
    const back = await workers.forgot(entries, absence);
    if (back.length === 0) continue;
    await lease.mustHold();
    try {
      // A person's hold was a drain; what a run left out may be ill.
      await site.balancers.set(back, absence.kind === "hold" ? "drain" : "maint");
    } catch (thrown) {
      told.push(`${failed}: ${absence.node}: ${messageOf(thrown)}`);
      continue; // the others are no less forgotten
    }
    const what = `${absence.node} at ${back.map(({ balancer, backend }) => `${balancer}/${backend}`).join(", ")}`;
    await journal.did({ deed: "tell again", fleet, run: absence.run, by, reason: claim.reason, what });
    told.push(`told again that ${what} is out`);
  }
  return told;
}

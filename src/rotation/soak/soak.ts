/** A batch that is back is watched under traffic: does it serve worse than its neighbours over the same seconds? */
import { RotaError } from "../../base/errors.ts";
import { notYet, poll, yes } from "../../base/poll.ts";
import type { Place, Tally } from "../ports.ts";
import type { Verdict } from "./judge.ts";
import { cutShort, isTakenOut, saySoFar, serves, verdictsOn } from "./verdicts.ts";
import { type Watched, counted, placesIn } from "./watch.ts";
import { type Trip, type World, isHeld, nameOf } from "../world.ts";

/** A node that this run has not worked on. */
export interface Neighbour {
  name: string;
  places: Place[];
}

/** The nodes of a batch: they are watched together, once all that come back are back. */
export interface Company {
  underway: Set<Trip>;
  back: Trip[];
  /** The first that do will be compared with. */
  neighbours: Neighbour[];
  verdicts: Promise<Map<Trip, Verdict>> | undefined;
}

/** As many as tell enough; all of a large fleet would only cost. */
const mostNeighbours = 12;

/** @returns undefined where this pool's batches are not watched */
export function companyOf(trips: Trip[], neighbours: Neighbour[]): Company | undefined {
  const watched = trips.filter(isWatched);
  if (watched.length === 0) return undefined;
  const backends = new Set(watched.flatMap(({ places }) => places.map(backendOf)));
  const beside = neighbours
    .map(({ name, places }) => ({ name, places: places.filter((at) => backends.has(backendOf(at))) }))
    .filter(({ places }) => places.length > 0);
  return {
    underway: new Set(watched),
    back: [],
    neighbours: beside.slice(0, mostNeighbours),
    verdicts: undefined,
  };
}

/** Not one that stays out, and not where no balancer counts for it. */
const isWatched = (trip: Trip): boolean =>
  trip.pool.rollout.soak > 0 && trip.standing !== "held" && !isHeld(trip) && trip.places.length > 0;

const backendOf = ({ balancer, backend }: Place): string => `${balancer}/${backend}`;

/** What it had counted before it left: where there is nobody beside it, it is compared with itself. */
export async function countBefore(trip: Trip, { balancers }: World): Promise<void> {
  if (!trip.company || trip.standing !== "serving") return;
  trip.countedBefore = await balancers.tally(trip.places);
}

/** @throws RotaError SOAK_WORSE, SOAK_INCONCLUSIVE; INTERRUPTED at the first signal, for nothing is out */
export async function soak(trip: Trip, world: World): Promise<void> {
  const { company } = trip;
  if (!company) return;
  const node = nameOf(trip);
  trip.inSince = world.clock.now();
  trip.lastLines = [];
  company.back.push(trip);
  company.underway.delete(trip);
  await untilAllBack(company, node, world);
  company.verdicts ??= watch(company, trip, world);
  const verdict = (await company.verdicts).get(trip);
  if (!verdict) return;
  const { text } = verdict;
  world.emit({ type: "output", node, step: "soak", stream: "stdout", text });
  await world.journal.printed(world.run, node, "soak", text);
  if (verdict.kind === "worse")
    throw new RotaError("SOAK_WORSE", { problem: `worse since it is back: ${text}` });
  if (verdict.kind === "good") return;
  if (trip.pool.rollout.inconclusive === "stop")
    throw new RotaError("SOAK_INCONCLUSIVE", { problem: `its soak was not conclusive: ${text}` });
  const why = "goes on, as rollout.inconclusive says";
  world.emit({ type: "notice", node, text: `the soak of ${node} was not conclusive: ${text}; ${why}` });
}

async function untilAllBack({ underway }: Company, node: string, world: World): Promise<void> {
  await poll({
    what: "the rest of the batch to be back",
    every: 50,
    within: Infinity, // each of them has limits of its own
    clock: world.clock,
    signal: stopping(world),
    probe: async () => {
      const names = [...underway].map(nameOf).join(", ");
      return underway.size === 0 ? yes(undefined) : notYet(`${names} to be back, to be watched together`);
    },
    onSaw: (saw) => world.emit({ type: "waiting", node, step: "soak", saw }),
  });
}

const stopping = ({ afterThisNode, now }: World): AbortSignal => AbortSignal.any([afterThisNode, now]);

/** One question a second to each balancer, for all of them. */
async function watch(company: Company, { pool }: Trip, world: World): Promise<Map<Trip, Verdict>> {
  const { clock, emit } = world;
  const { soak: within } = pool.rollout;
  const { back } = company;
  const mine = back.flatMap(({ places }) => places);
  const places = [...mine, ...company.neighbours.flatMap((one) => one.places)];
  let began = clock.now();
  let seen: Watched[] = [];
  let silent: string | undefined;
  const verdicts = await poll({
    what: `the soak of ${back.map(nameOf).join(", ")} to end`,
    every: Math.min(1_000, within / 4),
    within: Infinity,
    clock,
    signal: stopping(world),
    probe: async () => {
      const tallies = await tallyNow(places, world);
      silent = Array.isArray(tallies) ? undefined : tallies.silent;
      if (Array.isArray(tallies)) {
        if (seen.length === 0) began = clock.now(); // what the first look shows was before
        const { watched, reloaded } = counted(seen, tallies);
        seen = watched;
        for (const balancer of reloaded)
          emit({ type: "notice", text: `${balancer} was reloaded: what it counts for the soak begins anew` });
        company.neighbours = company.neighbours.filter((one) => placesIn(seen, one.places).every(serves));
      }
      const atEnd = clock.now() - began >= within;
      const now = verdictsOn(company, seen, atEnd);
      if (atEnd) return yes(now);
      const ended =
        [...now.values()].some(({ kind }) => kind === "worse") || back.some((trip) => isTakenOut(trip, seen));
      return ended ? yes(cutShort(now, clock.now() - began, within)) : notYet(saySoFar(back, seen, within));
    },
    onSaw: (saw) => {
      for (const trip of back) emit({ type: "waiting", node: nameOf(trip), step: "soak", saw });
    },
  });
  if (silent !== undefined) emit({ type: "notice", text: `at the end of the soak: ${silent}` });
  if (!(await isAccepted(company, verdicts, world))) return verdicts;
  const accepted = ({ text }: Verdict): Verdict => ({
    kind: "good",
    text: `${text}; good enough, said a person`,
  });
  return new Map(
    [...verdicts].map(([trip, verdict]) => [trip, verdict.kind === "good" ? verdict : accepted(verdict)]),
  );
}

/** A balancer that does not answer for a moment is asked again. */
const tallyNow = (places: Place[], { balancers }: World): Promise<Tally[] | { silent: string }> =>
  balancers.tally(places).catch((thrown: unknown) => {
    if (thrown instanceof RotaError && thrown.code === "BALANCER_UNREACHABLE")
      return { silent: thrown.message };
    throw thrown;
  });

/** A person at a terminal may say that it is good enough. */
async function isAccepted({ back }: Company, verdicts: Map<Trip, Verdict>, world: World): Promise<boolean> {
  const unsure = [...verdicts].filter(([, { kind }]) => kind === "inconclusive");
  if (unsure.length === 0 || [...verdicts.values()].some(({ kind }) => kind === "worse")) return false;
  if (back.every(({ pool }) => pool.rollout.inconclusive === "go-on")) return false;
  return world.asks(
    `not conclusive: ${unsure.map(([trip, { text }]) => `${nameOf(trip)}: ${text}`).join("\n")}\ngo on all the same? [y/N] `,
  );
}

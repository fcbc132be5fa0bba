import { poll, notYet, yes } from "../base/poll.ts";
import { RotaError } from "../base/errors.ts";
import { goneOf, recordAbsence } from "./leave.ts";
import type { Activity, AdminState, Agent, Entry } from "./ports.ts";
import { samePlace, sayPlace } from "./place.ts";
import { inSteps } from "./ramp.ts";
import type { Found } from "./records.ts";
import { untilAnswered, whileUnanswered } from "./unanswered.ts";
import { type Trip, type World, isHeld } from "./world.ts";

/**
 * Back as it was found, and into rotation only with a fresh pass of HAProxy's own checks: leaving maint
 * straight to ready gives a server traffic before any check has seen it.
 */
export async function putBack(trip: Trip, world: World): Promise<void> {
  const wanted = trip.found.filter((place) => place.admin === "ready");
  const entries = await untilAnswered(trip, world, () => world.balancers.look(wanted));
  // By hand, a place that serves already has nothing to prove, and must not leave for the proof.
  const back = trip.reached === "untouched" ? entries.filter((entry) => entry.outBecause) : entries;
  if (back.length > 0) await prove(trip, back, world);
  trip.reached = "proven";
  await inSteps(trip, back, world, () => untilAnswered(trip, world, () => tellAsFound(trip, world)));
  await untilAnswered(trip, world, () => seeAsFound(trip, world));
  trip.reached = "back";
  // A hold that was there before stays its owner's: the node is out as found, and still known to be.
  if (isHeld(trip)) return;
  const gone = goneOf(trip);
  if (gone.length === 0 || !trip.absence) return world.journal.putBack(world.fleet, trip.node.name);
  // Whoever held it says that it comes back: what is left of its absence is no hold any more.
  await world.journal.takenOut(world.fleet, { ...trip.absence, kind: "run", until: undefined, found: gone });
  const where = gone.map(sayPlace).join(", ");
  const text = `${where}: not asked any more, and as run ${trip.absence.run} left it, or as it has it itself`;
  world.emit({ type: "notice", node: trip.node.name, text });
}

/**
 * Nothing was done on the node, and sticky clients or a cut had it told maint: out of that HAProxy would call it
 * up at once, so its checks pass anew before. One that was down before is down until they do.
 */
export async function undoMaint(trip: Trip, world: World): Promise<void> {
  const { balancers } = world;
  const entries = await balancers.look(trip.found.filter(({ admin }) => admin === "ready"));
  const inMaint = entries.filter((entry) => entry.admin === "maint");
  if (inMaint.length === 0) return;
  if (trip.standing === "serving") return prove(trip, inMaint, world);
  await balancers.set(inMaint, "drain");
  await balancers.distrust(inMaint.filter((entry) => entry.checked));
}

/** Exactly what was found: the admin state and who is asked, by us; the weight not touched; all read back. */
export async function leaveAsFound(trip: Trip, world: World): Promise<void> {
  await tellAsFound(trip, world);
  await seeAsFound(trip, world);
}

async function tellAsFound({ found }: Trip, { balancers }: World): Promise<void> {
  for (const state of ["maint", "drain", "ready"] satisfies AdminState[]) {
    const places = found.filter((place) => place.admin === state);
    // One that its agent kept out must not serve until that is asked again.
    if (state === "ready") await balancers.askAgents(withAgent(found, "down"));
    if (places.length > 0) await balancers.set(places, state);
  }
}

async function seeAsFound(trip: Trip, { balancers, emit }: World): Promise<void> {
  await balancers.askAgents(withAgent(trip.found, "up"));
  for (const entry of await balancers.look(trip.found)) {
    const text = sayWeight(trip, entry);
    if (text !== undefined) emit({ type: "notice", node: trip.node.name, text });
  }
}

const withAgent = (found: Found[], agent: Agent): (Found & { agent: Agent })[] =>
  found.filter((place): place is Found & { agent: Agent } => place.agent === agent);

/** A weight is somebody's will, and is never changed here: where that is not plain, it is said. */
function sayWeight({ found, standing }: Trip, entry: Entry): string | undefined {
  const before = found.find((place) => samePlace(place, entry));
  if (before && before.weight !== entry.weight)
    return `${sayPlace(entry)} has weight ${entry.weight}, and had ${before.weight} when the node left; rota did not change it`;
  if (entry.weight > 0 || standing === "held") return undefined;
  return `${sayPlace(entry)} has weight 0, which rota does not change: no traffic until somebody does`;
}

/** Waits, drained, until every balancer's own checks have passed anew. */
async function prove(trip: Trip, entries: Entry[], world: World): Promise<void> {
  const { balancers, clock, now, emit } = world;
  const node = trip.node.name;
  const checked = trip.pool.ready.proof === "check" ? [] : entries.filter((entry) => entry.checked);
  sayUnchecked(trip, entries, world);
  if (trip.reached === "untouched") {
    await recordAbsence(trip, world);
    trip.reached = "tried";
  }
  if (checked.length === 0) {
    await startProof(trip, entries, checked, world);
    return;
  }
  let workers: number[] | undefined;
  await poll({
    what: `a fresh passing check of ${node} on every balancer`,
    every: 25,
    within: trip.pool.limits.ready,
    clock,
    signal: now,
    probe: () =>
      whileUnanswered(async () => {
        workers ??= await startProof(trip, entries, checked, world);
        const seen = await balancers.watch(checked);
        const forgotten = seen.filter((at, i) => !at.out || at.process !== workers?.[i]);
        if (forgotten.length > 0) {
          // A reload forgot the drain, or has an old state from a file: the proof starts anew, from one that we know.
          workers = undefined;
          const text = `${forgotten.map(sayPlace).join(", ")} was reloaded; told again`;
          emit({ type: "notice", node, text });
        }
        const unproven = seen.filter((at) => forgotten.includes(at) || !isProven(at));
        return unproven.length === 0 ? yes(undefined) : notYet(unproven.map(sayUnproven).join(", "));
      }),
    onSaw: (saw) => emit({ type: "waiting", node, step: "ready", saw }),
  }).catch((thrown: unknown) => {
    if (!(thrown instanceof RotaError && thrown.code === "WAIT_LIMIT")) throw thrown;
    const next =
      "see the status page as HAProxy asks for it: its check may use another path, host or port than check.url";
    throw new RotaError("WAIT_LIMIT", { problem: thrown.message, next, cause: thrown });
  });
}

/**
 * Through maint to drain: there HAProxy starts at "just up", and one more pass makes it full. Where it starts as full
 * (`fall 1`, or `init-state fully-up` of HAProxy 3.2), or `rise` is wanted, the verdict is taken back too. Only after
 * maint: there HAProxy shows nothing of its checks, and forgets a verdict that it is given.
 *
 * @returns the worker of each checked place, as it was before anything was told
 */
async function startProof(
  { pool }: Trip,
  entries: Entry[],
  checked: Entry[],
  { balancers }: World,
): Promise<number[]> {
  const before = await balancers.watch(checked);
  const notInMaint = (await balancers.look(entries)).filter((entry) => entry.admin !== "maint");
  await balancers.set(notInMaint, "maint");
  await balancers.set(entries, "drain");
  const seen = await balancers.watch(checked);
  const byRise = checked.filter((_, i) => pool.ready.proof === "rise" || beganFull(seen[i]?.health));
  await balancers.distrust(byRise);
  return before.map(({ process }) => process);
}

const isProven = ({ status, health }: Activity): boolean => status.startsWith("DRAIN") && isFull(health);

const isFull = (health: Activity["health"]): boolean => health !== undefined && health.now >= health.full;

/** Also where the first check has come in between: it is then seen anew. */
const beganFull = (health: Activity["health"]): boolean => health?.fall === 1 || isFull(health);

const sayUnproven = (at: Activity): string =>
  `${sayPlace(at)}: ${at.status}, check ${at.health?.now ?? 0} of ${at.health?.full ?? 0}`;

/** A server without checks of its own is proven by the node's check alone, and that is said. */
function sayUnchecked(trip: Trip, entries: Entry[], { emit }: World): void {
  const followed = new Set(entries.map((entry) => `${entry.balancer} ${entry.backend}/${entry.server}`));
  const blind = entries.filter(
    (entry) => !entry.checked && !followed.has(`${entry.balancer} ${entry.tracks ?? ""}`),
  );
  if (blind.length === 0) return;
  const text = `${blind.map(sayPlace).join(", ")}: HAProxy runs no check there; the node's own check is the proof`;
  emit({ type: "notice", node: trip.node.name, text });
}

import type { Clock } from "../base/clock.ts";
import { RotaError, messageOf } from "../base/errors.ts";
import type { Redact } from "../base/redact.ts";
import type { CommandName, Emit, StepName } from "../events/events.ts";
import type { Fleet, Node, Pool } from "../inventory/fleet.ts";
import type { CapacityGuard } from "./capacity-guard.ts";
import type { SeenBefore } from "./quiet.ts";
import type { Balancers, Entry, Health, Here, Hosts, Place, Tally } from "./ports.ts";
import type { Left, Restarts } from "./restart-way.ts";
import type { Absence, Found, Journal } from "./records.ts";
import type { NodeRelease } from "./release/release.ts";
import type { Company } from "./soak/soak.ts";

/** What a run acts on and answers to. */
export interface World {
  run: string;
  fleet: string;
  by: string;
  reason: string | undefined;
  command: CommandName;
  /** Commands of the fleet beside the rotations, what they are given with --set, and what hides their secrets. */
  hooks: (Fleet["hooks"] & { set: Record<string, string>; redact: Redact }) | undefined;
  balancers: Balancers;
  hosts: Hosts;
  here: Here;
  health: Health;
  restarts: Restarts;
  journal: Journal;
  clock: Clock;
  emit: Emit;
  /** Asked for once: finish the node in hand, start no other. */
  afterThisNode: AbortSignal;
  /** Asked for twice: waits end, no further act; only what is proven goes back. */
  now: AbortSignal;
  guard: CapacityGuard;
  /** Balancers that a person said to go on without. */
  gone: string[];
  /** Past the capacity guard; a person said so. */
  force: boolean;
  /** Nodes that are out because of us, by name, to say whose lack it is; none where the journal can't tell. */
  absences: () => Promise<ReadonlyMap<string, Absence>>;
  /** Yes or no by a person at a terminal; no where there is none. */
  asks: (question: string) => Promise<boolean>;
  /** Waits while the run is paused, or until the signal says that it does not matter any more; asked before each batch. */
  untilWanted: (over?: AbortSignal) => Promise<void>;
}

/** Why a node takes part: it serves; checks fail on it; our own run left it out; a person keeps it out. */
export type Standing = "serving" | "down" | "ours" | "held";

export const nameOf = ({ node }: Trip): string => node.name;

/** Where its sessions are: servers that track its own send it requests too. */
export const watchedOf = ({ places, followers }: Trip): Place[] => [
  ...places,
  ...followers.map(({ balancer, backend, server }) => ({ balancer, backend, server })),
];

/** A person's hold under which the node is worked on, and that stays. */
export const isHeld = ({ standing, absence }: Trip): boolean =>
  standing === "held" && absence?.kind === "hold";

/** Something is to be done on it before any node leaves. */
export const isToPrepare = ({ prepare, release, done }: Trip): boolean =>
  (prepare !== undefined || release !== undefined) && !done.has("prepare");

/** How a node goes back by itself to what it ran before. */
export interface WayBack {
  run: string;
  /** Of the node's last good run, and PREVIOUS. */
  variables: Record<string, string>;
}

/** Of a batch that left ahead of it, while the one before is watched. */
export interface Turn {
  /** "the soak of web1" */
  after: string;
  /** The batch before is well, and the run goes on. */
  came: boolean;
  /** It will not come; its reason says why. */
  lost: AbortSignal;
}

/** One node on its way through a rotation. */
export interface Trip {
  node: Node;
  pool: Pool;
  places: Place[];
  standing: Standing;
  /** Why it takes part, where that is not plain; for people. */
  note: string | undefined;
  /** As the balancers showed them last. */
  entries: Entry[];
  /** Servers that track the node's, other than its own: whatever it is told, they follow. */
  followers: Entry[];
  /** How its places were found, and are to be left. */
  found: Found[];
  /** Set for a drain by hand: the node stays out until its owner ends the hold. */
  hold: { until: Date | undefined } | undefined;
  /** It stays in rotation while it is worked on (drain.via: none). */
  stays: boolean;
  /** Something is to be done on the node itself. */
  hostNeeded: boolean;
  absence: Absence | undefined;
  /** Variables of the node's commands and of its check. */
  variables: Record<string, string>;
  /** Steps that an earlier try of the same run has done for good: they are not done again. */
  done: ReadonlySet<StepName>;
  /** Run while it still serves, before any node leaves; absent where there is nothing to prepare. */
  prepare: string | undefined;
  /** What is uploaded and unpacked before any node leaves, and switched to with the upgrade. */
  release?: NodeRelease | undefined;
  /** What `current` said when the node was last well: to it the node goes back where the release can't serve. */
  cameFrom?: string | undefined;
  /** The pool's own `rollback`, where the node may need it during its trip, and what it ran before is known. */
  wayBack?: WayBack | undefined;
  /** Which release its workers run after they were to be replaced. */
  left?: Left | undefined;
  /** It runs its old release alone again. */
  wentBack?: true;
  /** The upgrade's commands; absent for a rotation without one. */
  upgrade: string | undefined;
  /** How far it came: this decides how it may be left when something fails. `tried`: a return by hand, unproven. */
  reached: "untouched" | "tried" | "drained" | "changed" | "proven" | "back";
  /** What ran before the restart, as its proof told it. */
  ranBefore: string | undefined;
  /** drain.via status-page: somebody held the page out before, and keeps it so. */
  pageWasOut: boolean;
  /** Sessions that were left at the limit, and are not waited for any more (drain.at_limit: go-on). */
  gaveUp: number | undefined;
  /** When it was drained: milliseconds of the clock. */
  outSince: number | undefined;
  /** When it was seen back, where it is watched from then on. */
  inSince: number | undefined;
  /** Whom it is watched with once it is back; absent where it is not. */
  company: Company | undefined;
  /** Set where it left ahead of its turn: it is not changed before that has come. */
  turn?: Turn;
  /** What the balancers had counted for it before it left. */
  countedBefore: Tally[];
  /** What it did some time before its turn came. */
  seenBefore?: SeenBefore | undefined;
  /** The last lines that its commands printed. */
  lastLines: string[];
  /** Takes secrets out of what is shown and stored. */
  redact: Redact;
}

/** Stopped, or cut off, in the middle: what was begun may have been done. */
export const isUnknown = (thrown: unknown): boolean =>
  thrown instanceof RotaError && ["INTERRUPTED", "COMMAND_UNKNOWN", "LEASE_LOST"].includes(thrown.code);

/**
 * One step of one node: in the journal before and after, told as events, its failure named.
 * Nothing is begun once a person asked to stop now.
 */
export async function step(
  trip: Trip,
  name: StepName,
  { run, journal, emit, clock, now }: World,
  act: () => Promise<void>,
): Promise<void> {
  const node = trip.node.name;
  if (now.aborted) throw new RotaError("INTERRUPTED", { problem: `stopped before ${name}` });
  if (trip.done.has(name)) {
    trip.reached = "changed";
    return emit({ type: "notice", node, text: `${node}: ${name} was done before; not done again` });
  }
  await journal.stepStarted(run, node, name);
  emit({ type: "step started", node, step: name });
  const started = clock.now();
  try {
    await act();
  } catch (thrown) {
    const why = messageOf(thrown);
    emit({ type: "step ended", node, step: name, ok: false, ms: Math.round(clock.now() - started), why });
    await journal
      .stepEnded(run, node, name, isUnknown(thrown) ? "unknown" : "failed", why)
      .catch((unwritten: unknown) => {
        // It must not hide why the step failed.
        emit({ type: "notice", node, text: `the journal does not know that: ${messageOf(unwritten)}` });
      });
    throw thrown;
  }
  await journal.stepEnded(run, node, name, "done");
  emit({ type: "step ended", node, step: name, ok: true, ms: Math.round(clock.now() - started) });
}

/** Kept with the step, for whoever asks later. That it can't be kept must not make a failure of what was done. */
export async function keepPrinted(
  trip: Trip,
  name: StepName,
  text: string,
  { run, journal, emit }: World,
): Promise<void> {
  const node = nameOf(trip);
  await journal.printed(run, node, name, text).catch((thrown: unknown) => {
    if (!(thrown instanceof RotaError && thrown.code === "JOURNAL")) throw thrown;
    emit({ type: "notice", node, text: `what ${name} on ${node} printed is not kept: ${thrown.message}` });
  });
}

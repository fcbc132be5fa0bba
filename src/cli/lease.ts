import { systemClock } from "../base/clock.ts";
import { RotaError } from "../base/errors.ts";
import { notYet, poll, yes } from "../base/poll.ts";
import type { OpenJournal } from "../journal/journal.ts";
import { type Lease, keepLease } from "../journal/keep.ts";
import type { Claim, Holder } from "../journal/lease.ts";
import { type ProcessId, thisProcess } from "../journal/process.ts";
import type { World } from "../rotation/world.ts";
import { sayHolder } from "./holder.ts";
import type { Io } from "./io.ts";
import { untouched } from "./refuse.ts";
import type { Stop } from "./signals.ts";
import { inventoryWords } from "./words.ts";

/** A claim of this process. */
export interface Wanted extends Omit<Claim, keyof ProcessId> {
  /** Milliseconds that a person is ready to wait for it. */
  wait: number;
  /** As it was named on the command line, for what to type next. */
  inventory: string | undefined;
}

/** @throws RotaError LEASE_HELD that names the holder */
export async function takeLease(
  journal: OpenJournal,
  { wait, inventory, ...wanted }: Wanted,
  { afterThisNode: signal }: Stop,
  io: Io,
): Promise<Lease> {
  const claim: Claim = { ...wanted, ...thisProcess() };
  let holder: Holder | undefined;
  const epoch = await poll({
    what: `the lease of ${claim.fleet}`,
    every: 500,
    within: wait,
    clock: systemClock,
    signal,
    probe: async () => {
      const taken = await journal.take(claim);
      if ("epoch" in taken) return yes(taken.epoch);
      holder = taken.heldBy;
      return notYet(sayHolder(holder)); // without its age: a text that stays is said once
    },
    onSaw: (saw) => wait > 0 && io.err(`waiting for the lease of ${claim.fleet}: ${saw}`),
  }).catch((thrown: unknown) => {
    if (holder && thrown instanceof RotaError && thrown.code === "WAIT_LIMIT")
      throw held(holder, inventory, thrown);
    throw thrown;
  });
  return keepLease(journal, claim.fleet, epoch, systemClock);
}

const held = (holder: Holder, inventory: string | undefined, cause: unknown): RotaError =>
  new RotaError("LEASE_HELD", {
    problem: `somebody changes ${holder.fleet} now: ${sayHolder(holder, new Date())}`,
    left: untouched,
    next: `the same with --wait 10m; or rota unlock${inventoryWords(inventory)}, if its holder is gone for good`,
    cause,
  });

/** The same world, as long as the lease is ours: no act without it. An act that was begun may end. */
export function underLease(world: World, lease: Lease): World {
  const { balancers, hosts, health, here } = world;
  const holding = async <T>(act: () => Promise<T>): Promise<T> => {
    await lease.mustHold();
    return act();
  };
  return {
    ...world,
    balancers: {
      ...balancers,
      set: (places, state) => holding(() => balancers.set(places, state)),
      shut: (places) => holding(() => balancers.shut(places)),
      distrust: (places) => holding(() => balancers.distrust(places)),
      askAgents: (places) => holding(() => balancers.askAgents(places)),
      weigh: (places) => holding(() => balancers.weigh(places)),
    },
    health: { ...health, post: (url, options) => holding(() => health.post(url, options)) },
    here: {
      run: (script, options) => here.run(script, { ...options, mayStart: () => lease.mustHold() }),
    },
    hosts: {
      ...hosts,
      // Asked as late as can be: a connection may take its time, and a process may be stopped meanwhile.
      run: (node, script, options) =>
        hosts.run(node, script, { ...options, mayStart: () => lease.mustHold() }),
      upload: (node, file, options) => holding(() => hosts.upload(node, file, options)),
    },
  };
}

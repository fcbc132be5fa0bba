/** Clients that are bound to a node by a cookie, a stick table or a use-server rule: drain does not stop them. */
import type { Clock } from "../base/clock.ts";
import { sayPlace } from "./place.ts";
import type { Activity, Place } from "./ports.ts";
import { type Trip, type World, nameOf } from "./world.ts";

/** What a thread had chosen just before the drain has come by then, and been counted. */
const stragglers = 1_000;
/** Maint waits so long for a moment in which nothing runs; then it comes all the same, and lets requests end. */
const patience = 5_000;

const keyOf = ({ balancer, backend, server }: Place): string => `${balancer} ${backend}/${server}`;

/**
 * Judges one look after the other: the places at which new requests keep coming though they are drained, at the
 * moment that suits maint: nothing runs, or that was waited for long enough.
 *
 * @param within the limit of the whole wait, in milliseconds
 */
export function stickyFor(clock: Clock, within: number): (seen: Activity[]) => Activity[] {
  const bases = new Map<string, { process: number; since: number; came: number }>();
  const enough = Math.max(stragglers, Math.min(patience, within / 2));
  return (seen) =>
    seen.filter((at) => {
      const key = keyOf(at);
      // One that is queued, or tried again, came before.
      const came = at.total + at.queued - at.retried;
      const base = bases.get(key);
      // Maint, and a server that is down, turn them away already.
      if (!at.out || !/^(DRAIN|NOLB)/.test(at.status)) bases.delete(key);
      else if (base?.process !== at.process)
        bases.set(key, { process: at.process, since: clock.now(), came });
      else if (clock.now() - base.since < stragglers) base.came = came;
      else return came > base.came && (at.sessions + at.queued === 0 || clock.now() - base.since >= enough);
      return false;
    });
}

/** What a node is told while it is waited for. */
export interface Bounds {
  /** A balancer that was reloaded forgot it: it is told again, and the window starts anew. */
  tellAgain(seen: Activity[]): Promise<void>;
  /** Clients that keep coming are sent elsewhere. */
  turnAway(seen: Activity[]): Promise<void>;
}

export function bounds(trip: Trip, { balancers, clock, emit }: World): Bounds {
  const node = nameOf(trip);
  const sticky = stickyFor(clock, trip.pool.drain.within);
  const away = new Set<string>();
  const isOwn = (at: Activity): boolean => trip.places.some((place) => keyOf(place) === keyOf(at));
  const notice = (text: string): void => emit({ type: "notice", node, text });

  return {
    async tellAgain(seen) {
      // One that tracks a place of the node follows by itself.
      const forgotten = seen.filter((at) => !at.out && isOwn(at));
      if (forgotten.length === 0) return;
      const where = forgotten.map((at) => `${at.balancer}/${at.backend} (${at.status})`).join(", ");
      notice(`${where} no longer has ${node} out; told again`);
      const maint = forgotten.filter((at) => away.has(keyOf(at)));
      if (maint.length > 0) await balancers.set(maint, "maint");
      const drain = forgotten.filter((at) => !maint.includes(at));
      if (drain.length > 0) await balancers.set(drain, "drain");
    },

    async turnAway(seen) {
      const bound = sticky(seen);
      if (bound.length === 0) return;
      const places = trip.places.filter((place) =>
        bound.some((at) => (isOwn(at) ? keyOf(at) === keyOf(place) : at.balancer === place.balancer)),
      );
      const text = `${bound.map(sayPlace).join(", ")}: clients that are bound to ${node} (by a cookie, a stick table) keep coming; it is in maint now, so they go elsewhere`;
      notice(text);
      for (const place of places) away.add(keyOf(place));
      await balancers.set(places, "maint");
    },
  };
}

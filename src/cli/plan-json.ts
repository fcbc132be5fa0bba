import { isOvertaken } from "../rotation/ahead.ts";
import type { Plan } from "../rotation/plan/plan.ts";
import { nameOf } from "../rotation/world.ts";

/** A plan for scripts. */
export const planAsJson = (
  { pools, leftAlone, drift, gone, notes, refusals }: Plan,
  nodeTook: number | undefined,
) => ({
  pools: pools.map((planned) => ({
    pool: planned.pool.name,
    smaller: planned.smaller,
    soakMs: planned.pool.rollout.soak,
    batches: planned.batches.map(({ trips, canary, capacity }, at) => ({
      canary,
      ahead: isOvertaken(planned, at - 1),
      nodes: trips.map((trip) => ({
        node: nameOf(trip),
        standing: trip.standing,
        note: trip.note,
        release: trip.release?.name,
      })),
      capacity,
    })),
  })),
  leftAlone,
  drift,
  without: gone,
  notes,
  refusals: refusals.map(({ code, message }) => ({ code, problem: message })),
  msPerBatch: nodeTook,
});

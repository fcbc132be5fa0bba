import type { Plan } from "../rotation/plan/plan.ts";
import { nameOf } from "../rotation/world.ts";

/** A plan for scripts. */
export const planAsJson = (
  { pools, leftAlone, drift, gone, notes, refusals }: Plan,
  nodeTook: number | undefined,
) => ({
  pools: pools.map(({ pool, batches, smaller }) => ({
    pool: pool.name,
    smaller,
    soakMs: pool.rollout.soak,
    batches: batches.map(({ trips, canary, capacity }) => ({
      canary,
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

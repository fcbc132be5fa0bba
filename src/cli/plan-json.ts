import type { Plan } from "../rotation/plan.ts";
import { nameOf } from "../rotation/world.ts";

/** A plan for scripts. */
export const planAsJson = ({ pools, leftAlone, refusals }: Plan, nodeTook: number | undefined) => ({
  pools: pools.map(({ pool, batches }) => ({
    pool: pool.name,
    batches: batches.map(({ trips, capacity }) => ({
      nodes: trips.map((trip) => ({ node: nameOf(trip), standing: trip.standing, note: trip.note })),
      capacity,
    })),
  })),
  leftAlone,
  refusals: refusals.map(({ code, message }) => ({ code, problem: message })),
  msPerBatch: nodeTook,
});

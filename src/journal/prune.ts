import type { Kysely } from "kysely";
import type { Tables } from "./schema.ts";

/**
 * Removes runs that ended before, with everything of them. What somebody may still need stays: runs that are not
 * finished, that left a node out, or that are one of the last two good deploys (or rollbacks) of a node: the one before is what a
 * rollback goes back to.
 *
 * @returns how many runs were removed
 */
export async function prune(db: Kysely<Tables>, before: Date): Promise<number> {
  return await db.transaction().execute(async (tx) => {
    const needed = new Set([
      ...(await tx.selectFrom("absences").select("run").execute()).map(({ run }) => run),
      ...(await lastGoodDeploys(tx)),
    ]);
    const old = await tx.selectFrom("runs").select("id").where("ended", "<", before.toISOString()).execute();
    const ids = old.map(({ id }) => id).filter((id) => !needed.has(id));
    await tx.deleteFrom("deeds").where("run", "is", null).where("at", "<", before.toISOString()).execute();
    for (const id of ids) {
      for (const table of ["outputs", "steps", "trips", "switches", "live"] as const)
        await tx.deleteFrom(table).where("run", "=", id).execute();
      await tx.deleteFrom("deeds").where("run", "=", id).execute();
      await tx.deleteFrom("runs").where("id", "=", id).execute();
    }
    return ids.length;
  });
}

/** Good runs of a node that stay: what it runs, and what it ran before; with those that came back since and were not well. */
const kept = 2;

async function lastGoodDeploys(db: Kysely<Tables>): Promise<string[]> {
  const trips = await db
    .selectFrom("trips")
    .innerJoin("runs", "runs.id", "trips.run")
    .select(["runs.fleet", "trips.node", "trips.run", "trips.why"])
    .where("runs.command", "in", ["deploy", "rollback"])
    .where("trips.outcome", "in", ["back", "kept out"])
    .orderBy("trips.ended", "desc")
    .execute();
  const byNode = new Map<string, string[]>();
  const good = new Map<string, number>();
  for (const { fleet, node, run, why } of trips) {
    const key = `${fleet} ${node}`;
    const seen = good.get(key) ?? 0;
    if (seen === kept) continue;
    byNode.set(key, [...(byNode.get(key) ?? []), run]);
    if (why === null) good.set(key, seen + 1);
  }
  return [...byNode.values()].flat();
}

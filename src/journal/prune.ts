import type { Kysely } from "kysely";
import type { Tables } from "./schema.ts";

/**
 * Removes runs that ended before, with everything of them. What somebody may still need stays: runs that are not
 * finished, that left a node out, or that are the last good deploy of a node.
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
      for (const table of ["outputs", "steps", "trips", "switches"] as const)
        await tx.deleteFrom(table).where("run", "=", id).execute();
      await tx.deleteFrom("deeds").where("run", "=", id).execute();
      await tx.deleteFrom("runs").where("id", "=", id).execute();
    }
    return ids.length;
  });
}

async function lastGoodDeploys(db: Kysely<Tables>): Promise<string[]> {
  const trips = await db
    .selectFrom("trips")
    .innerJoin("runs", "runs.id", "trips.run")
    .select(["runs.fleet", "trips.node", "trips.run"])
    .where("runs.command", "=", "deploy")
    .where("trips.outcome", "in", ["back", "kept out"])
    .orderBy("trips.ended")
    .execute();
  // Later ones take the place of earlier ones.
  return [...new Map(trips.map(({ fleet, node, run }) => [`${fleet} ${node}`, run])).values()];
}

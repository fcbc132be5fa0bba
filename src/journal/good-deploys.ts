/** What the deploys and rollbacks that ended well tell: how long a node took. */
import type { Kysely, QueryCreator } from "kysely";
import type { CommandName, NodeEnd, StepName } from "../events/events.ts";
import type { Tables } from "./schema.ts";

/** Commands after which a node runs what they were given. */
export const changing: CommandName[] = ["deploy", "rollback"];

/** Trips of deploys and rollbacks that ended well, the last first. */
export const goodDeploys = (db: QueryCreator<Tables>, fleet: string, ends: NodeEnd[]) =>
  db
    .selectFrom("trips")
    .innerJoin("runs", "runs.id", "trips.run")
    .where("runs.fleet", "=", fleet)
    .where("runs.command", "in", changing)
    .where("trips.outcome", "in", ends)
    .orderBy("trips.ended", "desc");

/** Without its soak, whose length is another matter, and what is done before any node leaves. */
const counted: StepName[] = ["survey", "drain", "settle", "upgrade", "restart", "check", "ready"];
const most = 10;

/** Its steps, one by one: what a node waited for its turn, drained (`rollout.pipeline`), lies between them. */
export async function lastRotationsOf(db: Kysely<Tables>, fleet: string): Promise<number[]> {
  const rows = await goodDeploys(db, fleet, ["back"])
    .innerJoin("steps", (join) =>
      join.onRef("steps.run", "=", "trips.run").onRef("steps.node", "=", "trips.node"),
    )
    .select(["trips.run", "trips.node", "steps.step", "steps.started", "steps.ended"])
    .where("steps.step", "in", counted)
    .orderBy("steps.started", "desc")
    .limit(most * counted.length)
    .execute();
  const took = new Map<string, number>();
  for (const { run, node, step, started, ended } of rows) {
    const trip = `${run} ${node}`;
    if (ended && (step === "ready" || took.has(trip)))
      took.set(trip, (took.get(trip) ?? 0) + Date.parse(ended) - Date.parse(started));
  }
  return [...took.values()].slice(0, most);
}

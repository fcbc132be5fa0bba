import type { Kysely } from "kysely";
import type { Absence, Known } from "../rotation/ports.ts";
import type { Tables } from "./schema.ts";
import { readFound, readSet } from "./stored.ts";

export const readsOf = (db: Kysely<Tables>): Known => ({
  absences: async (fleet) => {
    const rows = await db.selectFrom("absences").selectAll().where("fleet", "=", fleet).execute();
    return new Map(rows.map((row) => [row.node, absenceOf(row)]));
  },

  lastSet: async (fleet, node) => {
    const row = await db
      .selectFrom("trips")
      .innerJoin("runs", "runs.id", "trips.run")
      .select("runs.set")
      .where((eb) =>
        eb.and({
          "runs.fleet": fleet,
          "trips.node": node,
          "trips.outcome": "back",
          "runs.command": "deploy",
        }),
      )
      .orderBy("trips.ended", "desc")
      .limit(1)
      .executeTakeFirst();
    return row && readSet(row.set);
  },

  lastRotations: async (fleet) => {
    const rows = await db
      .selectFrom("trips")
      .innerJoin("runs", "runs.id", "trips.run")
      .innerJoin("steps", (join) =>
        join.onRef("steps.run", "=", "trips.run").onRef("steps.node", "=", "trips.node"),
      )
      .select(["steps.started", "trips.ended"])
      .where((eb) =>
        eb.and({
          "runs.fleet": fleet,
          "trips.outcome": "back",
          "runs.command": "deploy",
          "steps.step": "survey",
        }),
      )
      .orderBy("trips.ended", "desc")
      .limit(10)
      .execute();
    return rows.map(({ started, ended }) => Date.parse(ended) - Date.parse(started));
  },
});

const absenceOf = (row: Tables["absences"]): Absence => ({
  node: row.node,
  kind: row.kind,
  run: row.run,
  by: row.by,
  reason: row.reason ?? undefined,
  since: new Date(row.since),
  until: row.until === null ? undefined : new Date(row.until),
  found: readFound(row.found),
});

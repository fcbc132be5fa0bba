import { randomBytes } from "node:crypto";
import type { Kysely } from "kysely";
import type { Absence, Journal } from "../rotation/ports.ts";
import type { Tables } from "./schema.ts";
import { readFound, readSet } from "./stored.ts";

/** The journal on a database. Each write is one statement: it is there whole or not at all. */
export function journalOn(db: Kysely<Tables>, asRotaError: (thrown: unknown) => Error): Journal {
  const now = (): string => new Date().toISOString();
  const named = async <T>(work: Promise<T>): Promise<T> =>
    work.catch((thrown: unknown) => {
      throw asRotaError(thrown);
    });
  const done = async (work: Promise<unknown>): Promise<void> => {
    await named(work);
  };

  return {
    async begin({ command, fleet, by, reason, set }) {
      const id = randomBytes(3).toString("hex");
      const row = {
        id,
        fleet,
        command,
        by,
        reason: reason ?? null,
        set: JSON.stringify(set),
        started: now(),
      };
      await named(
        db
          .insertInto("runs")
          .values({ ...row, ended: null, outcome: null, message: null })
          .execute(),
      );
      return id;
    },
    stepStarted: (run, node, step) =>
      done(
        db
          .insertInto("steps")
          .values({ run, node, step, started: now(), ended: null, ok: null, why: null })
          .execute(),
      ),
    stepEnded: (run, node, step, ok, why) =>
      done(
        db
          .updateTable("steps")
          .set({ ended: now(), ok: ok ? 1 : 0, why: why ?? null })
          .where((eb) => eb.and({ run, node, step }))
          .execute(),
      ),
    takenOut: (fleet, absence) => {
      const { node, ...rest } = rowOf(absence);
      return done(
        db
          .insertInto("absences")
          .values({ fleet, node, ...rest })
          .onConflict((c) => c.columns(["fleet", "node"]).doUpdateSet(rest))
          .execute(),
      );
    },
    putBack: (fleet, node) =>
      done(
        db
          .deleteFrom("absences")
          .where((eb) => eb.and({ fleet, node }))
          .execute(),
      ),
    nodeEnded: (run, node, outcome, why) =>
      done(
        db
          .insertInto("trips")
          .values({ run, node, ended: now(), outcome, why: why ?? null })
          .execute(),
      ),
    end: (run, outcome, message) =>
      done(
        db
          .updateTable("runs")
          .set({ ended: now(), outcome, message: message ?? null })
          .where("id", "=", run)
          .execute(),
      ),
    async absences(fleet) {
      const rows = await named(db.selectFrom("absences").selectAll().where("fleet", "=", fleet).execute());
      return named(
        Promise.resolve(rows).then((all) => new Map(all.map((row) => [row.node, absenceOf(row)]))),
      );
    },
    async lastSet(fleet, node) {
      const row = await named(
        db
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
          .executeTakeFirst(),
      );
      return row && (await named(Promise.resolve(row.set).then(readSet)));
    },
    async lastRotations(fleet) {
      const rows = await named(
        db
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
          .execute(),
      );
      return rows.map(({ started, ended }) => Date.parse(ended) - Date.parse(started));
    },
  };
}

const rowOf = ({ node, kind, run, by, reason, since, until, found }: Absence) => ({
  node,
  kind,
  run,
  by,
  reason: reason ?? null,
  since: since.toISOString(),
  until: until?.toISOString() ?? null,
  found: JSON.stringify(found),
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

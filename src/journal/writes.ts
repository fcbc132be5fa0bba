import { randomBytes } from "node:crypto";
import type { Kysely } from "kysely";
import { RotaError } from "../base/errors.ts";
import type { Absence, Journal } from "../rotation/ports.ts";
import type { Tables } from "./schema.ts";

/** Each write is one statement: it is there whole or not at all, and only while the lease has this epoch. */
export function writesOf(db: Kysely<Tables>, fleet: string, epoch: number): Journal {
  const lease = db.selectFrom("leases").where((eb) => eb.and({ fleet, epoch }));
  const now = (): string => new Date().toISOString();

  /** An insert of nothing where the lease is somebody else's. */
  async function insert(
    table: keyof Tables,
    row: Record<string, string | null>,
    key: string[] = [],
  ): Promise<void> {
    const columns = Object.keys(row);
    const values = lease.select((eb) => columns.map((column) => eb.val(row[column]).as(column)));
    const rest = columns.filter((column) => !key.includes(column));
    // The table's own types can't be followed through a select of values.
    const query = db.withTables<Record<string, Record<string, string | null>>>().insertInto(table);
    const filled = query.columns(columns).expression(values);
    const { numInsertedOrUpdatedRows } = await (
      key.length === 0
        ? filled
        : filled.onConflict((conflict) =>
            conflict
              .columns(key)
              .doUpdateSet((eb) =>
                Object.fromEntries(rest.map((column) => [column, eb.ref(`excluded.${column}`)])),
              ),
          )
    ).executeTakeFirstOrThrow();
    if ((numInsertedOrUpdatedRows ?? 0n) === 0n) throw lost(fleet);
  }

  return {
    async begin({ command, fleet: of, by, reason, set }) {
      const id = randomBytes(3).toString("hex");
      await insert("runs", {
        id,
        fleet: of,
        command,
        by,
        reason: reason ?? null,
        set: JSON.stringify(set),
        started: now(),
      });
      return id;
    },
    stepStarted: (run, node, step) => insert("steps", { run, node, step, started: now() }),
    async stepEnded(run, node, step, ok, why) {
      const { numUpdatedRows } = await db
        .updateTable("steps")
        .set({ ended: now(), ok: ok ? 1 : 0, why: why ?? null })
        .where((eb) => eb.and([eb.and({ run, node, step }), eb.exists(lease.select("epoch"))]))
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw lost(fleet);
    },
    takenOut: (of, absence) => insert("absences", { fleet: of, ...rowOf(absence) }, ["fleet", "node"]),
    async putBack(of, node) {
      const { numDeletedRows } = await db
        .deleteFrom("absences")
        .where((eb) => eb.and([eb.and({ fleet: of, node }), eb.exists(lease.select("epoch"))]))
        .executeTakeFirst();
      // Nothing to delete is no proof that the lease is gone.
      if (numDeletedRows === 0n && !(await lease.select("epoch").executeTakeFirst())) throw lost(fleet);
    },
    nodeEnded: (run, node, outcome, why) =>
      insert("trips", { run, node, ended: now(), outcome, why: why ?? null }),
    async end(run, outcome, message) {
      const { numUpdatedRows } = await db
        .updateTable("runs")
        .set({ ended: now(), outcome, message: message ?? null })
        .where((eb) => eb.and([eb("id", "=", run), eb.exists(lease.select("epoch"))]))
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw lost(fleet);
    },
  };
}

/** The next holder's survey finds what was begun. */
export const lost = (fleet: string): RotaError =>
  new RotaError("LEASE_LOST", { problem: `somebody else has the lease of ${fleet} now` });

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

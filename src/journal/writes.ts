import { randomBytes } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { systemClock } from "../base/clock.ts";
import { RotaError } from "../base/errors.ts";
import { jointly } from "../base/jointly.ts";
import type { RunEnd } from "../events/events.ts";
import type { Absence, Journal } from "../rotation/records.ts";
import type { JournalDatabase } from "./database.ts";
import { pace } from "./pace.ts";
import type { Tables } from "./schema.ts";

/** A step that is done again, after a resume, takes the place of the try before. */
const stepKey = ["run", "node", "step"];

/** @returns how many rows it changed */
type Write = (db: Kysely<Tables>) => Promise<bigint>;

/**
 * Each write is one statement: it is there whole or not at all, and only while the lease has this epoch. Those of one
 * moment, as where a hundred nodes end a step together, reach the disk together. Not those to a server: where it falls
 * silent in a transaction the connection may stay in it, and what is written on that next would never be committed.
 */
export function writesOf({ db, isFile }: JournalDatabase, fleet: string, epoch: number): Journal {
  const lease = db.selectFrom("leases").where((eb) => eb.and({ fleet, epoch }));
  const now = (): string => new Date().toISOString();
  const disk = pace(systemClock);
  const writeAll = jointly(
    (all: Write[]): Promise<bigint[]> =>
      disk.spend(async () => {
        if (all.length === 1) return [(await all[0]?.(db)) ?? 0n];
        return await db.transaction().execute(async (together) => {
          const counts = [];
          for (const one of all) counts.push(await one(together));
          return counts;
        });
      }),
    { turn: () => disk.turn() },
  );

  const written = async (one: Write): Promise<boolean> =>
    (isFile ? (await writeAll([one]))[0] : await one(db)) !== 0n;

  /** @throws RotaError LEASE_LOST where it changed nothing */
  async function write(one: Write): Promise<void> {
    if (!(await written(one))) throw lost(fleet);
  }

  /** Inserts nothing where the lease is somebody else's. With a key, a row that is there already is replaced. */
  async function insert(
    table: keyof Tables,
    row: Record<string, string | null>,
    key: string[] = [],
  ): Promise<void> {
    const names = (columns: string[]) => sql.join(columns.map((column) => sql.ref(column)));
    const columns = Object.keys(row);
    const others = columns.filter((column) => !key.includes(column));
    const replaced = others.map((column) => sql`${sql.ref(column)} = ${sql.ref(`excluded.${column}`)}`);
    const onConflict = sql`on conflict (${names(key)}) do update set ${sql.join(replaced)}`;
    const statement = sql`
      insert into ${sql.table(table)} (${names(columns)})
      select ${sql.join(Object.values(row))} from leases where fleet = ${fleet} and epoch = ${epoch}
      ${key.length > 0 ? onConflict : sql``}
    `;
    await write(async (on) => (await statement.execute(on)).numAffectedRows ?? 0n);
  }

  return {
    async begin({ command, fleet: of, by, reason, set, nodes, args, undoes, sets }) {
      const id = randomBytes(3).toString("hex");
      await insert("runs", {
        id,
        fleet: of,
        command,
        by,
        reason: reason ?? null,
        set: JSON.stringify(set),
        nodes: JSON.stringify(nodes),
        args: JSON.stringify(args),
        undoes: undoes ?? null,
        sets: sets ? JSON.stringify(sets) : null,
        started: now(),
      });
      return id;
    },
    async resumed(run) {
      await write(async (on) => {
        const { numUpdatedRows } = await on
          .updateTable("runs")
          .set({ ended: null, outcome: null, message: null, paused: null })
          .where((eb) => eb.and([eb("id", "=", run), eb.exists(lease.select("epoch"))]))
          .executeTakeFirst();
        return numUpdatedRows;
      });
    },
    stepStarted: (run, node, step) =>
      insert("steps", { run, node, step, started: now(), ended: null, outcome: null, why: null }, stepKey),
    async stepEnded(run, node, step, end, why) {
      await write(async (on) => {
        const { numUpdatedRows } = await on
          .updateTable("steps")
          .set({ ended: now(), outcome: end === "unknown" ? null : end, why: why ?? null })
          .where((eb) => eb.and([eb.and({ run, node, step }), eb.exists(lease.select("epoch"))]))
          .executeTakeFirst();
        return numUpdatedRows;
      });
    },
    printed: (run, node, step, text) => insert("outputs", { run, node, step, at: now(), text }),
    switched: (run, node, { to, before, after }) =>
      insert("switches", { at: now(), run, node, to, before: before ?? null, after }),
    takenOut: (of, absence) => insert("absences", { fleet: of, ...rowOf(absence) }, ["fleet", "node"]),
    async putBack(of, node) {
      const isDeleted = await written(async (on) => {
        const { numDeletedRows } = await on
          .deleteFrom("absences")
          .where((eb) => eb.and([eb.and({ fleet: of, node }), eb.exists(lease.select("epoch"))]))
          .executeTakeFirst();
        return numDeletedRows;
      });
      // Nothing to delete is no proof that the lease is gone.
      if (!isDeleted && !(await lease.select("epoch").executeTakeFirst())) throw lost(fleet);
    },
    nodeEnded: (run, node, outcome, why) =>
      insert("trips", { run, node, ended: now(), outcome, why: why ?? null }, ["run", "node"]),
    async end(run, outcome, message) {
      await write(async (on) => {
        const { numUpdatedRows } = await on
          .updateTable("runs")
          .set({ ended: now(), outcome, message: message ?? null })
          .where((eb) => eb.and([eb("id", "=", run), eb.exists(lease.select("epoch"))]))
          .executeTakeFirst();
        return numUpdatedRows;
      });
    },
    async undone(run, by) {
      const outcome: RunEnd = "rolled back";
      await write(async (on) => {
        const { numUpdatedRows } = await on
          .updateTable("runs")
          .set((eb) => ({
            outcome,
            ended: eb.fn.coalesce("ended", eb.val(now())),
            message: sql<string>`case when message is null then ${`rolled back by run ${by}`}
            when message like ${`%rolled back by run ${by}`} then message
            else message || ${`\nrolled back by run ${by}`} end`,
          }))
          .where((eb) => eb.and([eb("id", "=", run), eb.exists(lease.select("epoch"))]))
          .executeTakeFirst();
        return numUpdatedRows;
      });
    },
  };
}

/** The next holder's survey finds what was begun. */
export const lost = (fleet: string): RotaError =>
  new RotaError("LEASE_LOST", {
    problem: `the lease of ${fleet} was ended, or is somebody else's now`,
    next: "rota status, before anything else",
  });

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

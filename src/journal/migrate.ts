import { type Kysely, Migrator } from "kysely";
import { RotaError } from "../base/errors.ts";
import type { JournalDatabase } from "./database.ts";
import { type Tables, migrations } from "./schema.ts";

/**
 * Brings the tables up to what this rota knows; costs one question where they are.
 *
 * @throws RotaError JOURNAL_NEWER for tables that a newer rota has changed
 */
export async function migrate(database: JournalDatabase): Promise<void> {
  if (await isCurrent(database)) return;
  await database.alone(async () => {
    if (await isCurrent(database)) return; // another process was faster
    const { db } = database;
    const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(migrations) } });
    const { error } = await migrator.migrateToLatest();
    if (error) throw error;
  });
}

/** @throws RotaError JOURNAL_NEWER */
export async function isCurrent({ db, where }: JournalDatabase): Promise<boolean> {
  const known = Object.keys(migrations);
  const done = await doneIn(db);
  const newer = done.filter((name) => !known.includes(name));
  if (newer.length > 0) {
    throw new RotaError("JOURNAL_NEWER", {
      problem: `the journal ${where} was changed by a newer rota (${newer.join(", ")})`,
      left: "nothing was touched",
      next: "use that rota here too; rota --version says which this is",
    });
  }
  return done.length === known.length;
}

/** Names of the migrations that were done; none where the journal is new. */
async function doneIn(db: Kysely<Tables>): Promise<string[]> {
  try {
    const rows = await db
      .withTables<{ kysely_migration: { name: string } }>()
      .selectFrom("kysely_migration")
      .select("name")
      .execute();
    return rows.map(({ name }) => name);
  } catch (thrown) {
    if (isMissingTable(thrown)) return [];
    throw thrown;
  }
}

/** PostgreSQL's undefined_table (manual, appendix A); SQLite has only words for it. */
const isMissingTable = (thrown: unknown): boolean =>
  thrown instanceof Error &&
  (("code" in thrown && thrown.code === "42P01") || thrown.message.includes("no such table"));

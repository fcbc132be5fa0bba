import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { Kysely, SqliteDialect, sql } from "kysely";
import Database from "libsql";
import type { JournalDatabase } from "./database.ts";
import type { Tables } from "./schema.ts";

/** Made where there is none, readable by its owner alone. */
export function openSqlite(path: string): JournalDatabase {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, "a", 0o600));
  const database = new Database(path, { timeout: 5_000 });
  // Not WAL: SQLite before 3.51.3 can corrupt a WAL that two processes reset at once.
  database.exec("pragma journal_mode = delete; pragma synchronous = full; pragma foreign_keys = on");
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database }) });
  return {
    db,
    where: path,
    now: sql<number>`(unixepoch('subsec') * 1000)`,
    isFile: true,
    async alone(work) {
      database.exec("begin immediate");
      try {
        await work();
        database.exec("commit");
      } catch (thrown) {
        database.exec("rollback");
        throw thrown;
      }
    },
    [Symbol.asyncDispose]: () => db.destroy(),
  };
}

import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import { type JournalDatabase, withoutPassword } from "./database.ts";
import type { Tables } from "./schema.ts";

/** @param url postgres://user:password@host:port/database, as libpq has it (PostgreSQL manual §34.1.1.2). */
export function openPostgres(url: string): JournalDatabase {
  const pool = new pg.Pool({
    connectionString: url,
    max: 2,
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
    keepAlive: true,
    application_name: "rota",
  });
  // A connection that dies is replaced; unheard, its error would end the process. The pool hears only of those that
  // nobody uses; one that dies in use, after its query has failed, tells only itself.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => void client.on("error", () => undefined));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return {
    db,
    where: withoutPassword(url),
    now: sql<number>`(extract(epoch from clock_timestamp()) * 1000)::float8`,
    isFile: false,
    alone: (work) => work(), // the migrator takes a lock of its own here
    [Symbol.asyncDispose]: () => db.destroy(),
  };
}

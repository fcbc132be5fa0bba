import { existsSync, closeSync, mkdirSync, openSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Kysely, Migrator, SqliteDialect } from "kysely";
import Database from "libsql";
import { RotaError, messageOf } from "../base/errors.ts";
import type { Journal } from "../rotation/ports.ts";
import { journalOn } from "./journal.ts";
import { type Tables, migrations } from "./schema.ts";

type Environment = Record<string, string | undefined>;
export type OpenJournal = Journal & AsyncDisposable;

/** `sqlite:/path` in $ROTA_JOURNAL, else rota/journal.db in $XDG_STATE_HOME (XDG Base Directory Specification). */
export function journalPath(env: Environment): string {
  const named = env["ROTA_JOURNAL"];
  if (named?.startsWith("sqlite:")) return resolve(named.slice("sqlite:".length));
  if (named) {
    throw new RotaError("USAGE", {
      problem: "ROTA_JOURNAL is not sqlite:/path/to/file",
      left: "nothing was touched",
    });
  }
  return join(env["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "rota", "journal.db");
}

/** The journal for writing; made where there is none, readable by its owner alone. @throws RotaError JOURNAL */
export async function openJournal(env: Environment): Promise<OpenJournal> {
  const path = journalPath(env);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, "a", 0o600));
  } catch (thrown) {
    throw broken(path, thrown);
  }
  return opened(path, true);
}

/** The journal for reading: undefined where no run was ever recorded. @throws RotaError JOURNAL */
export async function readJournal(env: Environment): Promise<OpenJournal | undefined> {
  const path = journalPath(env);
  return existsSync(path) ? opened(path, false) : undefined;
}

async function opened(path: string, forWriting: boolean): Promise<OpenJournal> {
  try {
    const database = new Database(path, { timeout: 5_000 });
    // Not WAL: SQLite before 3.51.3 can corrupt a WAL that two processes reset at once.
    database.exec("pragma journal_mode = delete; pragma synchronous = full; pragma foreign_keys = on");
    const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database }) });
    if (forWriting) await migrate(db);
    return { ...journalOn(db, (thrown) => broken(path, thrown)), [Symbol.asyncDispose]: () => db.destroy() };
  } catch (thrown) {
    throw broken(path, thrown);
  }
}

async function migrate(db: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(migrations) } });
  const { error } = await migrator.migrateToLatest();
  if (error) throw error;
}

const broken = (path: string, thrown: unknown): RotaError =>
  new RotaError("JOURNAL", {
    problem: `the journal ${path} can't be used: ${messageOf(thrown)}`,
    next: "make the file writable by you, or name another one: ROTA_JOURNAL=sqlite:/path rota …",
    cause: thrown,
  });

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { RotaError } from "../base/errors.ts";
import { type JournalDatabase, broken, withoutPassword } from "./database.ts";
import { type OpenJournal, journalOn } from "./journal.ts";
import { isCurrent, migrate } from "./migrate.ts";

type Environment = Record<string, string | undefined>;

/** Where a journal is. */
export type JournalAddress = { kind: "sqlite"; path: string } | { kind: "postgres"; url: string };

/**
 * `sqlite:/path` or `postgres://…` in $ROTA_JOURNAL, else rota/journal.db in $XDG_STATE_HOME (XDG Base Directory
 * Specification).
 *
 * @throws RotaError USAGE
 */
export function journalAddress(env: Environment): JournalAddress {
  const named = env["ROTA_JOURNAL"];
  if (!named) {
    const state = env["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
    return { kind: "sqlite", path: join(state, "rota", "journal.db") };
  }
  if (named.startsWith("sqlite:")) return { kind: "sqlite", path: resolve(named.slice("sqlite:".length)) };
  if (/^postgres(ql)?:\/\//.test(named) && URL.canParse(named)) return { kind: "postgres", url: named };
  throw new RotaError("USAGE", {
    problem: "ROTA_JOURNAL is neither sqlite:/path/to/file nor postgres://user@host/database",
    left: "nothing was touched",
    next: "export ROTA_JOURNAL=postgres://USER@HOST/DATABASE, the team's journal; or unset ROTA_JOURNAL, for one of your own",
  });
}

/** The journal; made where there is none. @throws RotaError JOURNAL, JOURNAL_NEWER */
export async function openJournal(env: Environment): Promise<OpenJournal> {
  const database = await openedAt(journalAddress(env), migrate);
  return journalOn(database);
}

/** Opens it, and has this done to it first. */
async function openedAt(
  address: JournalAddress,
  first: (database: JournalDatabase) => Promise<void>,
): Promise<JournalDatabase> {
  const where = address.kind === "sqlite" ? address.path : withoutPassword(address.url);
  let database: JournalDatabase | undefined;
  try {
    database = await openDatabase(address);
    await first(database);
    return database;
  } catch (thrown) {
    await database?.[Symbol.asyncDispose]();
    throw broken(where, thrown);
  }
}

/** The journal for reading: undefined where no run was ever recorded on this machine. @throws RotaError JOURNAL */
export async function readJournal(env: Environment): Promise<OpenJournal | undefined> {
  const address = journalAddress(env);
  return address.kind === "postgres" || existsSync(address.path) ? openJournal(env) : undefined;
}

/** The journal as it is: undefined also where it would have to be brought up to what this rota knows. @throws RotaError JOURNAL */
export async function peekJournal(env: Environment): Promise<OpenJournal | undefined> {
  const address = journalAddress(env);
  if (address.kind === "sqlite" && !existsSync(address.path)) return undefined;
  let current = false;
  const database = await openedAt(address, async (opened) => void (current = await isCurrent(opened)));
  if (current) return journalOn(database);
  await database[Symbol.asyncDispose]();
  return undefined;
}

/** The driver is loaded when it is known which one. */
export async function openDatabase(address: JournalAddress): Promise<JournalDatabase> {
  if (address.kind === "sqlite") return (await import("./sqlite.ts")).openSqlite(address.path);
  return (await import("./postgres.ts")).openPostgres(address.url);
}

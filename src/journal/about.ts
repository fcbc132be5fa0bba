import { sql } from "kysely";
import { broken, withoutPassword } from "./database.ts";
import { type JournalAddress, openDatabase } from "./open.ts";

export interface AboutJournal {
  /** "SQLite 3.45.1" */
  version: string;
  /** Milliseconds that its clock is ahead of ours. */
  ahead: number;
}

/** What a journal that exists runs on. @throws RotaError JOURNAL */
export async function aboutJournal(address: JournalAddress): Promise<AboutJournal> {
  try {
    await using database = await openDatabase(address);
    const version =
      address.kind === "sqlite"
        ? sql<string>`sqlite_version()`
        : sql<string>`current_setting('server_version')`;
    const asked = Date.now();
    const { rows } = await sql<{
      version: string;
      now: number;
    }>`select ${version} as version, ${database.now} as now`.execute(database.db);
    const [row] = rows;
    // Somewhere between the question and its answer.
    const ahead = Number(row?.now) - (asked + Date.now()) / 2;
    return { version: `${address.kind === "sqlite" ? "SQLite" : "PostgreSQL"} ${row?.version}`, ahead };
  } catch (thrown) {
    throw broken(address.kind === "sqlite" ? address.path : withoutPassword(address.url), thrown);
  }
}

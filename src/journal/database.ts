import type { Kysely, RawBuilder } from "kysely";
import { RotaError, messageOf } from "../base/errors.ts";
import type { Tables } from "./schema.ts";

/** One of the two databases that a journal can be in, opened; what differs between them is behind this. */
export interface JournalDatabase extends AsyncDisposable {
  db: Kysely<Tables>;
  /** For messages: a path, or an address without its password. */
  where: string;
  /** Milliseconds since 1970, by the clock that all who share the journal go by. */
  now: RawBuilder<number>;
  /** A file of this machine: a commit waits for its disk, and this process with it. */
  isFile: boolean;
  /** Runs the work while no other process changes the schema. */
  alone(work: () => Promise<void>): Promise<void>;
}

export const broken = (where: string, thrown: unknown): RotaError =>
  thrown instanceof RotaError
    ? thrown
    : new RotaError("JOURNAL", {
        problem: `the journal ${where} can't be used: ${messageOf(thrown)}`,
        next: nextFor(where, messageOf(thrown)),
        cause: thrown,
      });

function nextFor(where: string, fault: string): string {
  if (where.startsWith("postgres"))
    return "see that the database runs, and that you may use it, then the same again";
  if (/disk is full/.test(fault)) return "make room on its disk, then the same again"; // SQLITE_FULL
  return "make the file a journal that you may write to, then the same again; or name another one: ROTA_JOURNAL=sqlite:/path rota …";
}

/** An address of PostgreSQL as it may be shown. */
export function withoutPassword(url: string): string {
  if (!URL.canParse(url)) return "postgres://…";
  const { username, host, pathname } = new URL(url);
  return `postgres://${username ? `${username}@` : ""}${host}${pathname}`;
}

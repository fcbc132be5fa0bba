/**
 * Who may change a fleet now: one row a fleet. It expires, so that nobody is locked out by a machine that is gone,
 * and has an epoch, so that whoever lost it can't write any more. Each act is one statement.
 */
import { sql } from "kysely";
import { printable } from "../base/quote.ts";
import type { JournalDatabase } from "./database.ts";
import { type ProcessId, isGone } from "./process.ts";

/** Milliseconds that a lease lasts when it is not renewed. */
export const leaseLasts = 30_000;

/** Who wants it, and what for. */
export interface Claim extends ProcessId {
  fleet: string;
  by: string;
  command: string;
  reason: string | undefined;
}

/** Who has it. */
export interface Holder extends Claim {
  epoch: number;
  since: Date;
  /** By the clock of the journal. */
  expires: Date;
}

export type Taken = { epoch: number } | { heldBy: Holder };

/** Takes the lease if nobody has it, or if its holder was a process of this machine that is gone. */
export async function take(database: JournalDatabase, claim: Claim): Promise<Taken> {
  const free = await takeIf(database, claim, undefined);
  if (free !== undefined) return { epoch: free };
  const holder = await holderOf(database, claim.fleet);
  if (!holder) return take(database, claim); // it ended in between
  if (!isGone(holder)) return { heldBy: holder };
  const orphaned = await takeIf(database, claim, holder.epoch);
  return orphaned === undefined ? take(database, claim) : { epoch: orphaned };
}

/** @param orphan The epoch of a lease that may be taken before it expires. */
async function takeIf(
  { db, now }: JournalDatabase,
  { fleet, by, command, reason, host, pid, started }: Claim,
  orphan: number | undefined,
): Promise<number | undefined> {
  const row = { by, command, reason: reason ?? null, host, pid, started, taken: new Date().toISOString() };
  const expires = sql<number>`${now} + ${sql.lit(leaseLasts)}`;
  const taken = await db
    .insertInto("leases")
    .values({ fleet, epoch: 1, ...row, expires })
    .onConflict((conflict) =>
      conflict
        .column("fleet")
        .doUpdateSet({ ...row, expires, epoch: sql<number>`leases.epoch + 1` })
        .where((eb) =>
          orphan === undefined ? eb("leases.expires", "<", now) : eb("leases.epoch", "=", orphan),
        ),
    )
    .returning("epoch")
    .executeTakeFirst();
  return taken?.epoch;
}

/** False: it is somebody else's now, and nothing may be done any more. */
export async function renew({ db, now }: JournalDatabase, fleet: string, epoch: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("leases")
    .set({ expires: sql<number>`${now} + ${sql.lit(leaseLasts)}` })
    .where((eb) => eb.and({ fleet, epoch }))
    .executeTakeFirst();
  return numUpdatedRows > 0;
}

/** Whether it is still this one. */
export async function holds({ db }: JournalDatabase, fleet: string, epoch: number): Promise<boolean> {
  const row = await db
    .selectFrom("leases")
    .select("epoch")
    .where((eb) => eb.and({ fleet, epoch }))
    .executeTakeFirst();
  return row !== undefined;
}

/** Ends a lease, one's own or by force; the next one has another epoch. */
export async function release({ db }: JournalDatabase, fleet: string, epoch: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("leases")
    .set({ expires: 0, epoch: sql<number>`epoch + 1` })
    .where((eb) => eb.and({ fleet, epoch }))
    .executeTakeFirst();
  return numUpdatedRows > 0;
}

/** Who has the lease now; undefined where nobody has. */
export async function holderOf({ db, now }: JournalDatabase, fleet: string): Promise<Holder | undefined> {
  const row = await db
    .selectFrom("leases")
    .selectAll()
    .where("fleet", "=", fleet)
    .where("expires", ">=", now)
    .executeTakeFirst();
  if (!row) return undefined;
  const { taken, expires, by, reason, ...rest } = row;
  return {
    ...rest,
    by: printable(by),
    reason: reason === null ? undefined : printable(reason),
    since: new Date(taken),
    expires: new Date(expires),
  };
}

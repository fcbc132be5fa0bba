import type { Deed, Journal, Known } from "../rotation/records.ts";
import { type JournalDatabase, broken } from "./database.ts";
import { type Claim, type Holder, type Taken, holderOf, holds, release, renew, take } from "./lease.ts";
import { prune } from "./prune.ts";
import { readsOf } from "./reads.ts";
import { type Totals, totalsOf } from "./totals.ts";
import { type Watching, watchingOn } from "./watching.ts";
import { writesOf } from "./writes.ts";

/** The right to change a fleet, as the journal keeps it. */
interface Leases {
  /** Asks for it. */
  take(claim: Claim): Promise<Taken>;
  /** Who has it right now. */
  holderOf(fleet: string): Promise<Holder | undefined>;
  /** False: it is somebody else's. */
  renew(fleet: string, epoch: number): Promise<boolean>;
  /** The same, read only: next to nothing beside a renewal, which must reach the disk. */
  holds(fleet: string, epoch: number): Promise<boolean>;
  /** Gives it back, or takes it away from its holder. */
  release(fleet: string, epoch: number): Promise<boolean>;
}

/** A journal that is open. Every failure is told as RotaError JOURNAL. */
export interface OpenJournal extends Known, Leases, Watching, AsyncDisposable {
  /** Asks a run to start no other node, or lets it go on. */
  pause(run: string, by: string | undefined): Promise<void>;
  /** Writes down what a person did; needs no lease. */
  did(deed: Deed): Promise<void>;
  /** Removes runs that ended before, and says how many. */
  prune(before: Date): Promise<number>;
  /** What all runs of a fleet add up to. */
  totals(fleet: string): Promise<Totals>;
  /** What the holder of a lease may write. */
  under(fleet: string, epoch: number): Journal;
}

export function journalOn(database: JournalDatabase): OpenJournal {
  const { db, where } = database;
  const leases: Leases = {
    take: (claim) => take(database, claim),
    holderOf: (fleet) => holderOf(database, fleet),
    renew: (fleet, epoch) => renew(database, fleet, epoch),
    holds: (fleet, epoch) => holds(database, fleet, epoch),
    release: (fleet, epoch) => release(database, fleet, epoch),
  };
  return {
    ...told(readsOf(db), where),
    ...told(leases, where),
    ...told(watchingOn(db), where),
    ...told(
      {
        prune: (before: Date) => prune(db, before),
        totals: (fleet: string) => totalsOf(db, fleet),
        did: async ({ deed, fleet, run, by, reason, what }: Deed) => {
          const nulls = {
            fleet: fleet ?? null,
            run: run ?? null,
            reason: reason ?? null,
            what: what ?? null,
          };
          await db
            .insertInto("deeds")
            .values({ at: new Date().toISOString(), deed, by, ...nulls })
            .execute();
        },
        pause: async (run: string, by: string | undefined) => {
          await db
            .updateTable("runs")
            .set({ paused: by ?? null })
            .where("id", "=", run)
            .execute();
        },
      },
      where,
    ),
    under: (fleet, epoch) => told(writesOf(database, fleet, epoch), where),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

/** The same functions; whatever fails in them is told as a failure of the journal. */
function told<T extends object>(functions: T, where: string): T {
  return new Proxy(functions, {
    get(target, name) {
      const work: unknown = Reflect.get(target, name);
      if (typeof work !== "function") return work;
      return async (...args: unknown[]): Promise<unknown> => {
        try {
          return await Reflect.apply(work, target, args);
        } catch (thrown) {
          throw broken(where, thrown);
        }
      };
    },
  });
}

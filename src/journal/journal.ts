import type { Journal, Known } from "../rotation/ports.ts";
import { type JournalDatabase, broken } from "./database.ts";
import { type Claim, type Holder, type Taken, holderOf, release, renew, take } from "./lease.ts";
import { readsOf } from "./reads.ts";
import { writesOf } from "./writes.ts";

/** A journal that is open. Every failure is told as RotaError JOURNAL. */
export interface OpenJournal extends Known, AsyncDisposable {
  /** Asks for the right to change a fleet. */
  take(claim: Claim): Promise<Taken>;
  /** Who has that right now. */
  holderOf(fleet: string): Promise<Holder | undefined>;
  /** False: the lease is somebody else's. */
  renew(fleet: string, epoch: number): Promise<boolean>;
  /** Gives it back, or takes it away from its holder. */
  release(fleet: string, epoch: number): Promise<boolean>;
  /** What the holder of a lease may write. */
  under(fleet: string, epoch: number): Journal;
}

export function journalOn(database: JournalDatabase): OpenJournal {
  const told =
    <A extends unknown[], T>(work: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      try {
        return await work(...args);
      } catch (thrown) {
        throw broken(database.where, thrown);
      }
    };
  const reads = readsOf(database.db);
  return {
    absences: told(reads.absences),
    lastSet: told(reads.lastSet),
    lastRotations: told(reads.lastRotations),
    take: told((claim) => take(database, claim)),
    holderOf: told((fleet) => holderOf(database, fleet)),
    renew: told((fleet, epoch) => renew(database, fleet, epoch)),
    release: told((fleet, epoch) => release(database, fleet, epoch)),
    under(fleet, epoch) {
      const writes = writesOf(database.db, fleet, epoch);
      return {
        begin: told(writes.begin),
        stepStarted: told(writes.stepStarted),
        stepEnded: told(writes.stepEnded),
        takenOut: told(writes.takenOut),
        putBack: told(writes.putBack),
        nodeEnded: told(writes.nodeEnded),
        end: told(writes.end),
      };
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

import type { Kysely } from "kysely";
import { RotaError } from "../base/errors.ts";
import type { Journal } from "../rotation/records.ts";
import type { Tables } from "./schema.ts";

type Act = (db: Kysely<Tables>) => Promise<unknown>;

interface Wanted {
  act: Act;
  resolve: (value: unknown) => void;
  reject: (thrown: unknown) => void;
}

/**
 * Writes that are wanted at the same time, as by the nodes of a batch, are committed as one: each commit waits for the
 * disk, and everything else in this process with it. Who wrote hears of it once it is on the disk, as before.
 */
export function together(db: Kysely<Tables>, writesOn: (db: Kysely<Tables>) => Journal): Journal {
  let wanted: Wanted[] = [];
  const pace = pacing();
  const write = async (): Promise<void> => {
    const all = wanted;
    wanted = [];
    const done = pace.begin();
    const isWritten = all.length > 1 && (await asOne(db, all));
    // Alone it was wanted; or one that can't be written must not take the others with it.
    if (!isWritten) for (const { act, resolve, reject } of all) await act(db).then(resolve, reject);
    done();
  };
  return new Proxy(writesOn(db), {
    get: (target, name) => {
      const work: unknown = Reflect.get(target, name);
      if (typeof work !== "function") return work;
      return (...args: unknown[]): Promise<unknown> =>
        new Promise((resolve, reject) => {
          if (wanted.length === 0) later(pace.wait(), () => void write());
          const act: Act = (on) => Reflect.apply(Reflect.get(writesOn(on), name), undefined, args);
          wanted.push({ act, resolve, reject });
        });
    },
  });
}

/** @returns false where nothing of it was written, and nobody was told anything */
async function asOne(db: Kysely<Tables>, all: Wanted[]): Promise<boolean> {
  const tell: (() => void)[] = [];
  try {
    await db.transaction().execute(async (tx) => {
      for (const { act, resolve, reject } of all)
        await act(tx).then(
          (value) => tell.push(() => resolve(value)),
          (thrown: unknown) => {
            if (!(thrown instanceof RotaError)) throw thrown; // the database; a lost lease is an answer
            tell.push(() => reject(thrown));
          },
        );
    });
  } catch {
    return false;
  }
  for (const one of tell) one();
  return true;
}

/** Commits that follow one another closely: one node writes that a step has ended, and that the next has begun. */
const ofOneNode = 2;
/** Where many nodes write, the disk is waited for during a fifth of the time at most; milliseconds at most. */
const [share, longest] = [4, 50];

/** When the next commit is to begin: at once, unless the last ones followed closely on one another. */
function pacing() {
  let [ended, took, inRow] = [-Infinity, 0, 0];
  return {
    wait(): number {
      const pause = Math.min(share * took, longest);
      inRow = performance.now() - ended < pause ? inRow + 1 : 0;
      return inRow > ofOneNode ? pause : 0;
    },
    begin(): () => void {
      const began = performance.now();
      return () => {
        ended = performance.now();
        took = ended - began;
      };
    },
  };
}

function later(wait: number, act: () => void): void {
  // Plain: a node's write must not depend on whose clock a run goes by.
  if (wait > 0) setTimeout(act, wait);
  else setImmediate(act);
}

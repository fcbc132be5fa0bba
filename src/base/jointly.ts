import type { Clock } from "./clock.ts";

interface Waiting<T, R> {
  mine: T[];
  resolve: (answers: R[]) => void;
  reject: (why: unknown) => void;
}

export interface Joint {
  /** Waited for before each question: who asks meanwhile is in it. By default the end of this turn of the event loop. */
  turn?: () => Promise<void>;
  /** Failures that are everybody's. After another one each half is asked about, and so on: nobody fails for somebody else. */
  isEverybodys?: (thrown: unknown) => boolean;
}

/**
 * One question for all who ask: what is asked while one is on its way goes into the next one, together.
 *
 * @param ask gives one answer for each, in their order
 */
export function jointly<T, R>(
  ask: (all: T[]) => Promise<R[]>,
  { turn = endOfTurn, isEverybodys = () => false }: Joint = {},
): (mine: T[]) => Promise<R[]> {
  let waiting: Waiting<T, R>[] = [];
  let asking = false;

  async function answer(all: Waiting<T, R>[]): Promise<void> {
    try {
      const answers = await ask(all.flatMap(({ mine }) => mine));
      let from = 0;
      for (const { mine, resolve } of all) resolve(answers.slice(from, (from += mine.length)));
    } catch (thrown) {
      if (all.length === 1 || isEverybodys(thrown)) for (const { reject } of all) reject(thrown);
      else await answerByHalves(all);
    }
  }

  /** Not one by one: what becomes everybody's failure meanwhile would be waited for by each in turn. */
  async function answerByHalves(all: Waiting<T, R>[]): Promise<void> {
    const half = Math.floor(all.length / 2);
    await answer(all.slice(0, half));
    await answer(all.slice(half));
  }

  async function askWhileWanted(): Promise<void> {
    asking = true;
    while (waiting.length > 0) {
      await turn();
      const all = waiting;
      waiting = [];
      await answer(all);
    }
    asking = false;
  }

  return async (mine) => {
    if (mine.length === 0) return [];
    return await new Promise((resolve, reject) => {
      waiting.push({ mine, resolve, reject });
      if (!asking) void askWhileWanted();
    });
  };
}

const endOfTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A turn that comes no sooner than then, by this clock: for questions that cost others something. */
export async function untilTime(clock: Clock, time: number): Promise<void> {
  await endOfTurn();
  const left = time - clock.now();
  if (left > 0) await clock.sleep(left, new AbortController().signal);
}

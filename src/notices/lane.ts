import { messageOf } from "../base/errors.ts";
import type { NoticeKind } from "../inventory/notices.ts";
import { type Notice, gather } from "./notice.ts";
import type { Hurry } from "./retry.ts";

/** What could not be told. */
export interface Untold {
  kind: NoticeKind;
  why: string;
}

/** The notices for one target: one after the other, whatever becomes of other targets. */
export interface Lane {
  /** Returns at once. Failures that nobody was told yet become one notice, so that no more than a few ever wait. */
  add(notice: Notice): void;
  /** Fulfilled when all of them are told or given up. */
  idle(): Promise<void>;
  /** How many there were. */
  readonly all: number;
  untold: Untold[];
}

/** Milliseconds that a failure waits for others: nodes of one batch seldom fail alone. */
const gathering = 2_000;

/** @param tell returns why it could not be told */
export function lane(tell: (notice: Notice) => Promise<string | undefined>, hurry: Hurry): Lane {
  const { clock, soon, now } = hurry;
  const waiting: Notice[] = [];
  const untold: Untold[] = [];
  let all = 0;
  let working: Promise<void> | undefined;

  async function work(): Promise<void> {
    for (let next = waiting[0]; next; next = waiting[0]) {
      if (next.kind === "failure") await clock.sleep(gathering, AbortSignal.any([soon, now]));
      waiting.shift();
      const why = await tell(next).catch(messageOf);
      if (why !== undefined) untold.push({ kind: next.kind, why });
    }
    working = undefined;
  }

  return {
    add(notice) {
      const last = waiting.at(-1);
      if (last && last.kind === "failure" && notice.kind === "failure" && last.run === notice.run)
        return gather(last, notice);
      waiting.push({ ...notice });
      all += 1;
      working ??= work();
    },
    idle: () => working ?? Promise.resolve(),
    get all() {
      return all;
    },
    untold,
  };
}

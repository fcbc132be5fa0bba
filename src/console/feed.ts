/** One look at the fleet for everybody who watches, at a pace that costs little; only what changed travels. */
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { type Message, type Picture, differences } from "./changes.ts";
import type { Begun } from "./started.ts";

/** A message as it goes over the wire: made once, however many read it. */
export type Frame = Uint8Array<ArrayBuffer>;

export interface Feed extends AsyncDisposable {
  /** Told all at once, then what changes. @returns what ends it */
  watch(listener: (frame: Frame) => void): () => void;
  latest(): Picture | undefined;
  /** Milliseconds since the last look that succeeded. */
  age(): number;
  /** Looks again now: something was done. */
  hurry(): void;
}

export interface Sources {
  look: () => Promise<Picture>;
  begun: () => Begun[];
}

/** Milliseconds between two looks. */
const pace = {
  /** A change is to be seen within half a second. */
  watched: 250,
  /** A balancer with many servers has more to tell. */
  large: 1_000,
  alone: 2_000,
  /** After something was done. */
  hurried: 60,
  slowest: 5_000,
};
const isLarge = 100;
/** Of a core, at most: for looking and for telling. */
const share = 0.07;

export function startFeed({ look, begun }: Sources, clock: Clock): Feed {
  const listeners = new Set<(frame: Frame) => void>();
  const over = new AbortController();
  let [hurried, differs, begunTold] = [new AbortController(), differences(), "[]"];
  let [last, whole]: [Picture | undefined, Frame | undefined] = [undefined, undefined];
  let [trouble, seen]: [string | undefined, number] = [undefined, clock.now()];

  const tell = (message: Message): void => {
    if (Object.keys(message).length === 0) return;
    whole = undefined;
    const frame = frameOf(message);
    for (const listener of listeners) listener(frame);
  };

  async function lookOnce(): Promise<Message> {
    try {
      const now = await look();
      const message = { ...differs(now), ...(trouble === undefined ? {} : { trouble: null }) };
      [last, trouble, seen] = [now, undefined, clock.now()];
      return message;
    } catch (thrown) {
      const said = messageOf(thrown);
      const isNew = said !== trouble;
      trouble = said;
      return isNew ? { trouble } : {};
    }
  }

  /** Told also while nothing can be looked at. */
  function begunSince(): Message {
    const now = begun();
    const text = JSON.stringify(now);
    if (text === begunTold) return {};
    begunTold = text;
    return { begun: now };
  }

  async function loop(): Promise<void> {
    let before = process.cpuUsage();
    while (!over.signal.aborted) {
      const message = await lookOnce();
      tell({ ...message, ...begunSince() });
      // All that was done since the last look, pages that were told included.
      const { user, system } = process.cpuUsage(before);
      before = process.cpuUsage();
      const isAlone = listeners.size === 0;
      const many = (last?.fleet.nodes.length ?? 0) >= isLarge;
      const rest = isAlone ? pace.alone : many ? pace.large : pace.watched;
      const wait = Math.min(pace.slowest, Math.max(rest, (user + system) / 1_000 / share));
      await clock.sleep(wait, AbortSignal.any([over.signal, hurried.signal]));
      if (hurried.signal.aborted) {
        await clock.sleep(pace.hurried, over.signal);
        hurried = new AbortController();
      }
    }
  }
  const running = loop();

  return {
    watch(listener) {
      if (listeners.size === 0) hurried.abort();
      listeners.add(listener);
      whole ??= frameOf({
        ...(last ? differences()(last) : {}),
        whole: true,
        begun: begun(),
        ...(trouble === undefined ? {} : { trouble }),
      });
      listener(whole);
      return () => void listeners.delete(listener);
    },
    latest: () => last,
    age: () => clock.now() - seen,
    hurry: () => hurried.abort(),
    async [Symbol.asyncDispose]() {
      over.abort();
      await running;
    },
  };
}

const encoder = new TextEncoder();

/** Server-sent events, WHATWG HTML §9.2: JSON has no line break of its own. */
const frameOf = (message: Message): Frame => encoder.encode(`data: ${JSON.stringify(message)}\n\n`);

import { createColors } from "picocolors";
import type { Event } from "../events/events.ts";
import type { RunState } from "../events/state.ts";
import { board } from "./board.ts";
import { colours } from "./colours.ts";
import { redraw } from "./redraw.ts";

/** Keeps the board on a terminal up to date until it is closed; the last picture stays. */
export interface Painter {
  show(event: Event, state: RunState): void;
  /** Leaves the terminal to somebody else until the work is done; the picture so far stays. */
  aside<T>(work: () => Promise<T>): Promise<T>;
  close(): void;
}

/** Milliseconds between two pictures: running times should be seen to run. */
const frame = 100;

export function painter(stream: NodeJS.WriteStream, colour: boolean): Painter {
  const paint = colours(createColors(colour));
  const picture = redraw(stream, { showCursor: true });
  let state: RunState | undefined;
  let aside = false;
  const draw = (): void => {
    if (!state || aside) return;
    const size = { width: Math.max(20, (stream.columns ?? 80) - 1), height: stream.rows ?? 24 };
    picture.show(board(state, Date.now(), size, paint));
  };
  const timer = setInterval(draw, frame);
  return {
    show: (_, now) => void (state = now),
    async aside(work) {
      draw();
      picture.done();
      aside = true;
      try {
        return await work();
      } finally {
        aside = false;
      }
    },
    close() {
      clearInterval(timer);
      draw();
      picture.done();
    },
  };
}

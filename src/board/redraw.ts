import { createLogUpdate } from "log-update";

export interface Redraw {
  show(lines: string[]): void;
  /** The last picture stays. */
  done(): void;
}

/** A picture on a terminal that takes the place of the one before. */
export function redraw(stream: NodeJS.WritableStream, options: { showCursor?: boolean } = {}): Redraw {
  const draw = createLogUpdate(stream, options);
  let count = 0;
  return {
    show(lines) {
      // log-update 7 loses lines that only move, by one that comes or goes above them.
      if (lines.length !== count) draw.clear();
      count = lines.length;
      draw(lines.join("\n"));
    },
    done() {
      count = 0;
      draw.done();
    },
  };
}

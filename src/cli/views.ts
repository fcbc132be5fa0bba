import { plainLine } from "../board/plain.ts";
import type { Emit, Event } from "../events/events.ts";
import { type RunState, nothingYet, reduce } from "../events/state.ts";
import { type Io, wantsColour } from "./io.ts";

/** One view of a run's events: NDJSON on stdout, a live board on a terminal, or a plain line an event. */
export interface View {
  emit: Emit;
  /** What the events so far amount to. */
  state(): RunState;
  /** Does something that needs the terminal: nothing is painted meanwhile. */
  aside<T>(work: () => Promise<T>): Promise<T>;
  close(): void;
}

/** Whoever else hears of each event, and what they amount to with it. */
export type Heard = (event: Event, state: RunState) => void;

interface Screen {
  show(event: Event, state: RunState): void;
  aside<T>(work: () => Promise<T>): Promise<T>;
  close(): void;
}

const nothingPainted: Pick<Screen, "aside" | "close"> = { aside: (work) => work(), close: () => undefined };

export async function openView(io: Io, json: boolean, hear: Heard): Promise<View> {
  const screen = await screenFor(io, json);
  let state = nothingYet();
  return {
    emit: (body) => {
      const event: Event = { at: new Date().toISOString(), ...body };
      state = reduce(state, event);
      screen.show(event, state);
      hear(event, state);
    },
    state: () => state,
    aside: (work) => screen.aside(work),
    close: () => screen.close(),
  };
}

async function screenFor(io: Io, json: boolean): Promise<Screen> {
  if (json) return { show: (event) => io.out(JSON.stringify(event)), ...nothingPainted };
  if (io.terminal) {
    const { painter } = await import("../board/painter.ts");
    return painter(io.terminal, wantsColour(io));
  }
  const show = (event: Event): void => {
    const line = plainLine(event);
    if (line !== undefined) io.err(line);
  };
  return { show, ...nothingPainted };
}

import type { Event, EventBody } from "../events/events.ts";
import { plainLine } from "../board/plain.ts";
import { type Io, wantsColour } from "./io.ts";

/** One view of a run's events: NDJSON on stdout, a live board on a terminal, or a plain line an event. */
export interface View {
  emit(event: EventBody): void;
  close(): void;
}

export async function openView(io: Io, json: boolean): Promise<View> {
  const at = (event: EventBody): Event => ({ at: new Date().toISOString(), ...event });
  if (json) return { emit: (event) => io.out(JSON.stringify(at(event))), close: () => undefined };
  if (io.terminal) {
    const { painter } = await import("../board/painter.ts");
    const painting = painter(io.terminal, wantsColour(io));
    return { emit: (event) => painting.show(at(event)), close: () => painting.close() };
  }
  const emit = (event: EventBody): void => {
    const line = plainLine(at(event));
    if (line !== undefined) io.err(line);
  };
  return { emit, close: () => undefined };
}

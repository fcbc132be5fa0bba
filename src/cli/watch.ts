import { createColors } from "picocolors";
import { systemClock } from "../base/clock.ts";
import { RotaError } from "../base/errors.ts";
import { colours } from "../board/colours.ts";
import type { FleetStatus } from "../board/fleet-status.ts";
import { redraw } from "../board/redraw.ts";
import { statusChanges } from "../board/status-changes.ts";
import { statusLines } from "../board/status.ts";
import { Exit, type ExitCode } from "./exit.ts";
import { type Io, wantsColour } from "./io.ts";
import { stopOnSignals } from "./signals.ts";
import type { Look } from "./status.ts";

/** Milliseconds between two looks: one question a balancer. */
const every = 1_000;

interface Screen {
  show(seen: FleetStatus): void;
  close(): void;
}

/** The fleet, live, until it is stopped: a picture on a terminal; else a line for each change, or with `json` each whole look. */
export async function watch(
  look: () => Promise<Look>,
  { json, where }: { json: boolean; where: string },
  io: Io,
): Promise<ExitCode> {
  using stop = stopOnSignals(undefined);
  const { afterThisNode: stopped } = stop;
  const screen = screenFor(io, json, where);
  const sinceNow = errorsSinceNow();
  let last: FleetStatus | undefined;
  while (!stopped.aborted && !io.outGone()) {
    try {
      const { seen } = await look();
      last = sinceNow(seen);
    } catch (thrown) {
      // What can't be read at all from the start is no watch; later it is one more thing to be seen.
      if (!(thrown instanceof RotaError) || !last) {
        screen.close();
        throw thrown;
      }
      last = { ...last, problems: [thrown.message, "what follows is from before"] };
    }
    screen.show(last);
    await systemClock.sleep(every, stopped);
  }
  screen.close();
  return Exit.ok;
}

/** Errors have grown since the worker began, which may be months: those that come now are what a person watches for. */
function errorsSinceNow(): (seen: FleetStatus) => FleetStatus {
  const first = new Map<string, number>();
  return (seen) => ({
    ...seen,
    nodes: seen.nodes.map((node) => ({
      ...node,
      entries: node.entries.map((entry) => {
        const place = `${entry.balancer}/${entry.backend}/${entry.server}`;
        const { errors } = entry.traffic;
        const before = Math.min(first.get(place) ?? errors, errors); // fewer: a new worker counts anew
        first.set(place, before);
        return { ...entry, traffic: { ...entry.traffic, errors: errors - before } };
      }),
    })),
  });
}

function screenFor(io: Io, json: boolean, where: string): Screen {
  if (json) return { show: (seen) => io.out(JSON.stringify(seen)), close: () => undefined };
  return io.terminal ? painted(io.terminal, io, where) : lineByLine(io, where);
}

function painted(terminal: NodeJS.WriteStream, io: Io, where: string): Screen {
  const picture = redraw(terminal);
  const paint = colours(createColors(wantsColour(io)));
  return {
    show: (seen) => {
      const [width, height] = [Math.max(20, (terminal.columns ?? 80) - 1), (terminal.rows ?? 24) - 2];
      const lines = statusLines(seen, new Date(), { width, height }, paint, where);
      picture.show([...lines, paint("quiet", `${clockNow()}  Ctrl-C ends`)]);
    },
    close: () => picture.done(),
  };
}

function lineByLine(io: Io, where: string): Screen {
  let last: FleetStatus | undefined;
  return {
    show: (seen) => {
      const lines = last
        ? statusChanges(last, seen).map((text) => `${clockNow()} ${text}`)
        : statusLines(seen, new Date(), { width: io.width }, undefined, where);
      for (const line of lines) io.out(line);
      last = seen;
    },
    close: () => undefined,
  };
}

const clockNow = (): string => `${new Date().toISOString().slice(11, 19)}Z`;

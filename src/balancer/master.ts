/**
 * Commands for the socket of HAProxy's master process (`haproxy -W -S …`). Pure. Source: HAProxy Management
 * Guide §9.4 "Master CLI".
 */
import { AnswerError } from "./answers.ts";
import type { Command } from "./commands.ts";

/** Process ids of all workers, also those that a reload has replaced and that only end what they have. */
export const showProc = (): Command<number[]> => ({ line: "show proc", read: readWorkers });

function readWorkers(frame: string): number[] {
  const [header, ...rows] = frame.split("\n");
  if (!header?.startsWith("#<PID>")) throw new AnswerError("not understood", frame);
  return rows.flatMap((row) => {
    const [, pid] = /^(\d+)\s+worker\s/.exec(row) ?? [];
    return pid === undefined ? [] : [Number(pid)];
  });
}

/**
 * The same command, told to one worker, an old one too. Each command of a line needs it.
 *
 * @throws RangeError for what is no process id
 */
export function toWorker<T>(pid: number, command: Command<T>): Command<T> {
  if (!Number.isSafeInteger(pid) || pid < 1) throw new RangeError(`${pid} is no process id`);
  return { ...command, line: `@!${pid} ${command.line}`, read: (frame) => command.read(frame) };
}

import { RotaError } from "../base/errors.ts";
import { Exit, type ExitCode, exitOf } from "./exit.ts";
import type { Io } from "./io.ts";

/** What happened, how things were left, what to type next. */
export function errorLines({ message, left, next }: RotaError): string[] {
  const indented = (text: string): string => text.replaceAll("\n", "\n         ");
  return [
    `rota: ${message}`,
    ...(left ? [`  left:  ${indented(left)}`] : []),
    ...(next ? [`  next:  ${indented(next)}`] : []),
  ];
}

/** Shows whatever a command threw; a stack trace only for a defect of rota itself. */
export function showError(thrown: unknown, io: Io, json: boolean): ExitCode {
  if (!(thrown instanceof RotaError)) {
    io.err(`rota: this is a defect of rota itself; please report it with the lines below`);
    io.err(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
    return Exit.defect;
  }
  const { code, message: problem, left, next } = thrown;
  if (json) io.out(JSON.stringify({ error: { code, problem, left, next } }));
  for (const line of errorLines(thrown)) io.err(line);
  return exitOf(code);
}

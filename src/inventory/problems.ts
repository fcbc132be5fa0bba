/** What is wrong with a file, and where; told all at once. */
import { printable, shellQuote } from "../base/quote.ts";
import { RotaError } from "../base/errors.ts";
import { cut } from "./names.ts";

/** Keys and list indexes, from the top of the file. */
export type Path = readonly (string | number)[];

/** Counted from 1. */
export interface Place {
  line: number;
  column: number;
}

/** Something wrong with a key or with its value, not yet looked up in the file. */
export interface Finding {
  path: Path;
  on: "key" | "value";
  text: string;
}

export interface Problem extends Place {
  /** The key, as "pools.web.check"; empty for the file as a whole. */
  where: string;
  text: string;
}

export const problemAt = (place: Place, path: Path, text: string): Problem => ({
  ...place,
  where: printable(cut(path.join("."))),
  text: printable(cut(text, 300)),
});

/** More are counted, not listed. */
const mostShown = 50;

/** The one error for a file: each problem on a line, from the top of the file down. */
export function notRight(
  file: string,
  problems: readonly Problem[],
  next = `mend the lines above, then: ${planOf(file)}`,
): RotaError {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const more = sorted.length - mostShown;
  return new RotaError("INVENTORY", {
    problem: [
      `${printable(file)} is not right; nothing was touched`,
      ...linesOf(file, sorted.slice(0, mostShown)),
      ...(more > 0 ? [`  and ${more} more`] : []),
    ].join("\n"),
    next,
  });
}

export const planOf = (file: string): string =>
  `rota plan -i ${/^[\w./@:+-]+$/.test(file) ? file : printable(shellQuote(file))}`;

function linesOf(file: string, problems: readonly Problem[]): string[] {
  const places = problems.map(({ line, column }) => `${printable(file)}:${line}:${column}`);
  const width = Math.max(...places.map((place) => place.length));
  return problems.map(
    ({ where, text }, i) => `  ${(places[i] ?? "").padEnd(width)} ${where ? `${where}: ` : ""}${text}`,
  );
}

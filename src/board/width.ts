/** Text of at most so many columns; what is cut ends in "…". */
export const fit = (text: string, width: number): string =>
  text.length <= width ? text : width < 1 ? "" : `${text.slice(0, width - 1)}…`;

/**
 * A table whose columns are as wide as their widest cell, two spaces apart.
 *
 * @param toRight whether a column is aligned to its right end, by its head
 */
export function columns(rows: string[][], toRight: (head: string) => boolean = () => false): string[] {
  const ends = (rows[0] ?? []).map(toRight);
  const widths = rows.reduce<number[]>(
    (most, row) => row.map((cell, i) => Math.max(most[i] ?? 0, cell.length)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, i) => (ends[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

/** "1 node", "2 nodes" */
export const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? "" : "s"}`;

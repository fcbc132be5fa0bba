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

/**
 * Text in lines of at most so many columns, broken at blanks; a word that is longer stays whole, so that it can be copied.
 *
 * @param hanging columns that all lines but the first begin with
 */
export function wrap(text: string, width: number, hanging = 0): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length <= width || line.trim() === "") line = longer;
    else {
      lines.push(line);
      line = `${" ".repeat(hanging)}${word}`;
    }
  }
  return [...lines, line];
}

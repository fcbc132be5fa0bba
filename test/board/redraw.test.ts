import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { redraw } from "../../src/board/redraw.ts";

/** What a terminal shows of what was written: the few codes that a picture is redrawn with. */
function screenOf(written: string): string[] {
  const rows: string[] = [];
  let [row, column] = [0, 0];
  // oxlint-disable-next-line no-control-regex
  for (const [, code, text] of written.matchAll(/\u001b\[([?\d]*[A-Za-z])|([^\u001b])/g)) {
    const number = Number(code?.slice(0, -1)) || 1;
    const end = code?.at(-1);
    if (text === "\n") [row, column] = [row + 1, 0];
    else if (text !== undefined) {
      rows[row] =
        (rows[row] ?? "").slice(0, column).padEnd(column) + text + (rows[row] ?? "").slice(column + 1);
      column += 1;
    } else if (end === "A") row -= number;
    else if (end === "B") row += number;
    else if (end === "G") column = 0;
    else if (end === "K") rows[row] = code === "2K" ? "" : (rows[row] ?? "").slice(0, column);
  }
  return rows.filter(Boolean);
}

test("a line that comes or goes between others leaves all of them on the terminal", () => {
  const stream = Object.assign(new PassThrough(), { columns: 60, rows: 24 });
  const chunks: string[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  const picture = redraw(stream, { showCursor: true });
  const board = ["heading", "web1", "web2", "web3"];
  const withWorkers = ["heading", "web1", "  workers", "web2", "web3"];
  for (const lines of [board, withWorkers, ["heading", "web1", "  workers 2", "web2", "web3"], board]) {
    picture.show(lines);
    expect(screenOf(chunks.join(""))).toEqual(lines);
  }
});

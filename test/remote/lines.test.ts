import * as fc from "fast-check";
import { expect, test } from "vitest";
import { longestLine, splitLines } from "../../src/remote/lines.ts";

function linesOf(...chunks: (string | Buffer)[]): string[] {
  const seen: string[] = [];
  const lines = splitLines((text) => seen.push(text));
  for (const chunk of chunks) lines.push(Buffer.from(chunk));
  lines.end();
  return seen;
}

test("lines come out whole, wherever the chunks are cut", () => {
  const text = "one\n\ntwo ü 😀\r\nthree";
  const bytes = Buffer.from(text);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
      const borders = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const chunks = borders.slice(1).map((end, i) => bytes.subarray(borders[i], end));
      expect(linesOf(...chunks)).toEqual(["one", "", "two ü 😀", "three"]);
    }),
  );
});

test("a line is given out as soon as it is whole", () => {
  const seen: string[] = [];
  const lines = splitLines((text) => seen.push(text));
  lines.push(Buffer.from("one\ntw"));
  expect(seen).toEqual(["one"]);
  lines.push(Buffer.from("o\n"));
  expect(seen).toEqual(["one", "two"]);
});

test("a newline at the end does not make another line", () => {
  expect(linesOf("one\n")).toEqual(["one"]);
  expect(linesOf("")).toEqual([]);
  expect(linesOf("\n")).toEqual([""]);
});

test("a line without end is cut, and the next one is seen again", () => {
  const [long, next] = linesOf(...Array.from({ length: 100 }, () => "x".repeat(1_000)), "\nnext\n");
  expect(long).toBe(`${"x".repeat(longestLine - 1)}…`);
  expect(next).toBe("next");
  expect(linesOf("y".repeat(longestLine))).toEqual(["y".repeat(longestLine)]);
});

test("a cut does not split a character", () => {
  const [line = ""] = linesOf(`x${"😀".repeat(longestLine)}`);
  expect(line).toBe(Buffer.from(line).toString());
  expect(line.length).toBeLessThanOrEqual(longestLine);
});

test("control characters are made harmless", () => {
  expect(linesOf("a\u001b[31mb\u0007\n")).toEqual(["a[31mb\ufffd"]);
  expect(linesOf(Buffer.from([0x61, 0xff, 0x0a]))).toEqual(["a\ufffd"]);
});

test("nothing is given out after the end", () => {
  const seen: string[] = [];
  const lines = splitLines((text) => seen.push(text));
  lines.end();
  lines.push(Buffer.from("late\n"));
  lines.end();
  expect(seen).toEqual([]);
});

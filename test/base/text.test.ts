import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseDuration, sayDuration } from "../../src/base/duration.ts";
import { RotaError, messageOf } from "../../src/base/errors.ts";
import { printable, shellQuote } from "../../src/base/quote.ts";
import { redactor } from "../../src/base/redact.ts";

test.each([
  ["250ms", 250],
  ["1.5s", 1_500],
  ["10m", 600_000],
  ["2h", 7_200_000],
  ["1d", 86_400_000],
])("%s is %d milliseconds", (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds));

test.each(["60", "", "s", "-1s", "1 s", "1e3s", "1w", "١s", "constructor"])("%j is no duration", (text) =>
  expect(parseDuration(text)).toBeUndefined(),
);

test.each([
  [0, "0ms"],
  [999, "999ms"],
  [1_000, "1s"],
  [1_249, "1.2s"],
  [9_949, "9.9s"],
  [9_999, "10s"],
  [59_600, "1m"],
  [200_000, "3m20s"],
  [7_500_000, "2h05m"],
  [3 * 86_400_000, "3d"],
])("%d milliseconds are said as %s", (milliseconds, text) => expect(sayDuration(milliseconds)).toBe(text));

test("whatever a word holds, the shell gives it back", () => {
  const word = fc.string({ unit: "binary-ascii", maxLength: 40 }).filter((text) => !text.includes("\0"));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
      const script = `printf '%s\\0' ${words.map(shellQuote).join(" ")}`;
      expect(execFileSync("/bin/sh", ["-c", script]).toString("latin1").split("\0").slice(0, -1)).toEqual(
        words,
      );
    }),
    { numRuns: 25 },
  );
  expect(() => shellQuote("a\0b")).toThrow(RangeError);
});

test("text from elsewhere can't move the cursor, colour the screen or turn the direction of reading", () => {
  expect(printable("\u001b[2Jgone\r\u0007 \u202eevil\u2066\ttab")).toBe(
    "[2Jgone\ufffd\ufffd \ufffdevil\ufffd\ttab",
  );
});

test("a secret is taken out wherever it stands, and the longer one first", () => {
  const redact = redactor(["hunter22", "hunter22-and-more", ""]);
  expect(redact("x=hunter22 y=hunter22-and-more hunter22hunter22")).toBe(
    "x=[secret] y=[secret] [secret][secret]",
  );
});

test("a line that was cut in the middle of a secret does not show its beginning", () => {
  const redact = redactor(["correct-horse-battery"]);
  expect(redact("token correct-hor…")).toBe("token [secret]…");
  expect(redact("token corr…")).toBe("token [secret]…");
  expect(redact("a plain line…")).toBe("a plain line…");
});

test("an error's message is told without a stack trace, of several too", () => {
  const error = new RotaError("USAGE", { problem: "no such node", next: "rota status" });
  expect(messageOf(error)).toBe("no such node");
  expect(messageOf(new AggregateError([error, "plain"]))).toBe("no such node; plain");
});

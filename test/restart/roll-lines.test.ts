import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import fc from "fast-check";
import { printable } from "../../src/base/quote.ts";
import { textOf } from "../../src/restart/node-files.ts";
import { readRoll } from "../../src/restart/roll-lines.ts";
import type { Told } from "../../src/rotation/restart-way.ts";

const line = (event: string, values: Record<string, unknown> = {}): string =>
  JSON.stringify({ event, seconds: 1, text: `${event} said`, ...values });

const textIn = (told: Told[]): string => told.flatMap((one) => ("text" in one ? [one.text] : [])).join("\n");

test("a worker's line is news of it, and the others are text for people", () => {
  const roll = readRoll();
  expect(roll.tell(line("roll", { count: 4, surge: 1 }))).toEqual([{ text: "roll said" }]);
  expect(
    roll.tell(line("worker", { pid: 7, state: "ready", since: 1.234, new: true, release: "/r/2" })),
  ).toEqual([{ worker: { pid: 7, state: "ready", of: 4, isNew: true, sinceMs: 1234, release: "/r/2" } }]);
  expect(roll.tell("  1.00 s  warning")).toEqual([{ text: "  1.00 s  warning" }]);
});

test("why a roll is BROKEN is readable, line by line, and how many workers were left is not said once for each", () => {
  const roll = readRoll();
  roll.tell(line("roll", { count: 60 }));
  const error = `Traceback\n  File "app.py"\n\u001b[31mRuntimeError: no database\u0007`;
  const broken = roll.tell(line("broken", { reason: "worker 9 can't serve", error }));
  expect(textIn(broken)).toBe(
    `broken said\n    Traceback\n      File "app.py"\n    [31mRuntimeError: no database\ufffd`,
  );
  for (let pid = 1; pid <= 60; pid += 1)
    expect(roll.tell(line("left", { pid, state: "ready", release: "/r/1" }))).toEqual([]);
  roll.tell(line("left", { pid: 61, state: "failed" }));
  expect(textIn(roll.tell(line("end", { exit: 2 })))).toBe(
    "left: 60 workers ready, running /r/1: 1 2 3 4 5 6 7 8 …\nleft: 1 worker failed, running an unknown release: 61\nend said",
  );
  expect(roll.left()).toBe("mixed");
});

test("an error that only the worker told is shown where the roll breaks", () => {
  const roll = readRoll();
  roll.tell(line("worker", { pid: 9, state: "failed", error: "no database" }));
  expect(textIn(roll.tell(line("broken")))).toContain("no database");
});

test("how long each worker took is told for later: its boot, and the end of the one that it replaced", () => {
  const roll = readRoll();
  roll.tell(line("roll", { count: 2 }));
  for (const [pid, old, at] of [
    [11, 1, 3],
    [12, 2, 6],
  ] as const) {
    roll.tell(line("worker", { pid, state: "booting", since: 0.01, new: true }));
    roll.tell(line("worker", { pid, state: "ready", since: 3, new: true, seconds: at }));
    roll.tell(line("worker", { pid: old, state: "leaving", seconds: at }));
    roll.tell(line("worker", { pid: old, state: "gone", seconds: at + 0.2 }));
  }
  roll.tell(line("worker", { pid: 13, state: "failed", since: 0.5, new: true }));
  expect(roll.times()).toEqual([
    "worker 13 failed after 500ms",
    "worker 11 booted in 3s; the old one, 1, ended in 200ms",
    "worker 12 booted in 3s; the old one, 2, ended in 200ms",
  ]);
});

test("on the way back each worker is said to be", () => {
  const roll = readRoll();
  roll.tell(line("restore"));
  expect(roll.tell(line("worker", { pid: 7, state: "ready", new: true }))).toMatchObject([
    { worker: { goesBack: true } },
  ]);
  expect(textIn(roll.tell(line("end", { exit: 1 })))).toBe("end said");
  expect(roll.left()).toBe("old");
});

test("whatever a node prints, nothing is thrown, and all of it is printable", () => {
  const roll = readRoll();
  const anyLine = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .tuple(
        fc.constantFrom("roll", "worker", "broken", "left", "end", "__proto__"),
        fc.dictionary(
          fc.constantFrom(
            "text",
            "pid",
            "state",
            "since",
            "new",
            "count",
            "error",
            "release",
            "exit",
            "seconds",
          ),
          fc.oneof(fc.anything(), fc.constantFrom("ready", "gone", "\u001b[2J", -1, 1e300)),
        ),
      )
      .map(([event, values]) => JSON.stringify({ event, ...values }) ?? ""),
  );
  fc.assert(
    fc.property(anyLine, (text) => {
      for (const told of roll.tell(text))
        if ("text" in told && told.text !== text) expect(told.text).toBe(printable(told.text));
      roll.times();
    }),
  );
});

test.each(["gunicorn-roll", "uwsgi-roll"] as const)(
  "a long error of %s loses its beginning, so that its line is whole; what it ends with is read",
  (name) => {
    const program = `import sys; sys.argv = ["roll.py"]; exec(compile(sys.stdin.read(), "roll.py", "exec"), {"__name__": "roll"})
`;
    const said = execFileSync("python3", ["-c", program], {
      input: `${textOf(name)}
Voice(True).say("broken", "BROKEN: too long", error="\\n".join(["é" * 60] * 60 + ["KeyError: 'end'"]))`,
      encoding: "utf8",
    }).trim();
    expect(said.length).toBeLessThanOrEqual(4_000);
    expect(textIn(readRoll().tell(said))).toMatch(/^BROKEN: too long\n {4}é{60}\n[^]*\n {4}KeyError: 'end'$/);
  },
);

import { expect, test } from "vitest";
import type { Change, WholeRun } from "../../src/rotation/records.ts";
import { undoOf } from "../../src/rotation/undo.ts";

interface Told {
  run: string;
  undoes?: string;
  /** Ended, and nothing was wrong. */
  good?: boolean;
  /** The node took it back by itself. */
  wentBack?: true;
}

/** The oldest first, as it happened; each an hour after the one before. */
function changesOf(history: Told[]): Change[] {
  return history
    .map(({ run, undoes, wentBack = false, good = !wentBack }, hour): Change => {
      const began = new Date(hour * 3_600_000);
      const ended = new Date(began.getTime() + 60_000);
      const command = undoes === undefined ? "deploy" : "rollback";
      return { run, command, undoes, node: "web1", began, ended, good, wentBack, set: { RELEASE: run } };
    })
    .toReversed();
}

const wholeRun = (run: string): WholeRun => ({
  run,
  command: "deploy",
  fleet: "shop",
  by: "eva",
  reason: undefined,
  set: {},
  nodes: ["web1"],
  args: {},
  started: new Date(0),
  ended: undefined,
  outcome: undefined,
  message: undefined,
  steps: [],
  trips: [],
  outputs: [],
  deeds: [],
});

const undo = (run: string, history: Told[]): string => {
  const found = undoOf(wholeRun(run), "web1", changesOf(history), false);
  if (found.kind === "back to") return `back to ${found.before.run}`;
  if (found.kind === "undone") return `undone by ${found.by}`;
  return found.kind === "changed since" ? `changed since by ${found.by.run}` : found.kind;
};

const [one, two, three] = [{ run: "1" }, { run: "2" }, { run: "3" }];

test.each<[string, string, Told[], string]>([
  ["the last", "2", [one, two], "back to 1"],
  ["the first ever", "1", [one], "unknown"],
  ["one that failed", "2", [one, { run: "2", good: false }], "back to 1"],
  ["one after another that failed", "3", [one, { run: "2", good: false }, three], "back to 1"],
  ["where only a failed one came before", "2", [{ run: "1", good: false }, two], "unknown"],
  ["one that another came after", "2", [one, two, three], "changed since by 3"],
  ["one that is undone", "2", [one, two, { run: "a", undoes: "2" }], "undone by a"],
  ["one whose undoing failed", "2", [one, two, { run: "a", undoes: "2", good: false }], "back to 1"],
  [
    "one whose undoing failed twice",
    "2",
    [one, two, ...["a", "b"].map((run) => ({ run, undoes: "2", good: false }))],
    "back to 1",
  ],
  ["one before an undone one", "2", [one, two, three, { run: "a", undoes: "3" }], "back to 1"],
  [
    "one before one whose undoing failed",
    "2",
    [one, two, three, { run: "a", undoes: "3", good: false }],
    "changed since by a",
  ],
  ["an undoing", "a", [one, two, { run: "a", undoes: "2" }], "back to 2"],
  [
    "an undoing that is undone",
    "2",
    [one, two, { run: "a", undoes: "2" }, { run: "b", undoes: "a" }],
    "back to 1",
  ],
  ["what came after an undoing", "3", [one, two, { run: "a", undoes: "2" }, three], "back to a"],
  ["one that was taken back by the node itself", "2", [one, { run: "2", wentBack: true }], "went back"],
  ["one before such a one", "2", [one, two, { run: "3", wentBack: true }], "back to 1"],
  ["what came after such a one", "3", [one, { run: "2", wentBack: true }, three], "back to 1"],
  ["a run that was not here", "2", [one, three], "untouched"],
])("undoing %s", (_, run, history, expected) => {
  expect(undo(run, history)).toBe(expected);
});

test("a node that was only taken out is put back; changes of other nodes say nothing", () => {
  const others = changesOf([one, two]).map((change) => ({ ...change, node: "web2" }));
  expect(undoOf(wholeRun("2"), "web1", others, true)).toEqual({ kind: "put back" });
  expect(undoOf(wholeRun("2"), "web1", others, false)).toEqual({ kind: "untouched" });
});

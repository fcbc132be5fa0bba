import { expect, test } from "vitest";
import { outcomeOf } from "../../src/remote/outcome.ts";

test("exit code 0 is done, another is failed, a signal is failed, and no answer is unknown", () => {
  expect(outcomeOf(0)).toEqual({ kind: "done" });
  expect(outcomeOf(3)).toEqual({ kind: "failed", why: "exit code 3" });
  expect(outcomeOf(null, "SIGKILL")).toEqual({ kind: "failed", why: "killed by SIGKILL" });
  const unknown = { kind: "unknown", why: "the connection ended before the command answered" };
  expect(outcomeOf(undefined)).toEqual(unknown);
  expect(outcomeOf(null)).toEqual(unknown);
});

import { expect, test } from "vitest";
import { judge } from "../../src/health/judge.ts";

const answered = (status: number, body = "") => ({ kind: "answered", status, body }) as const;

test("the right status is good, and with a body that holds the text", () => {
  expect(judge({ status: 200, body: undefined }, answered(200))).toEqual({ good: true });
  expect(judge({ status: 404, body: "42" }, answered(404, "release 42"))).toEqual({ good: true });
});

test("another status is not, whatever the body", () => {
  const why = "answered 503 instead of 200";
  expect(judge({ status: 200, body: "ok" }, answered(503, "ok"))).toEqual({ good: false, why });
});

test("a body without the text is shown, printable and cut at 80 characters", () => {
  const check = { status: 200, body: '"release": "42"' };
  expect(judge(check, answered(200, '{"status":\n "ok\u001b[2J"}'))).toEqual({
    good: false,
    why: 'the body lacks "release": "42": {"status": "ok[2J"}',
  });
  expect(judge(check, answered(200, "😀".repeat(500)))).toEqual({
    good: false,
    why: `the body lacks "release": "42": ${"😀".repeat(39)}…`,
  });
  expect(judge(check, answered(200))).toEqual({
    good: false,
    why: 'the body lacks "release": "42": it is empty',
  });
});

test("silence is not good, and its reason stays", () => {
  expect(judge({ status: 200, body: undefined }, { kind: "silent", why: "connection refused" })).toEqual({
    good: false,
    why: "connection refused",
  });
});

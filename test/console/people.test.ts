import { afterEach, expect, test, vi } from "vitest";
import { failuresPerMinute, hashOf, newToken, peopleIn } from "../../src/console/people.ts";

afterEach(() => vi.useRealTimers());

const ann = { name: "ann", role: "operator" as const, created: new Date(0) };

test("a token is long, random, and kept nowhere but as a hash", () => {
  const tokens = new Set(Array.from({ length: 100 }, newToken));
  expect(tokens.size).toBe(100);
  for (const token of tokens) {
    expect(token).toMatch(/^rota_[\w-]{43}$/);
    expect(hashOf(token)).toMatch(/^[0-9a-f]{64}$/);
  }
});

test("a token that was removed is nobody's within seconds; the journal is not asked at each request", async () => {
  vi.useFakeTimers();
  let [asked, known] = [0, true];
  const people = peopleIn({ tokenWith: async () => (asked++, known ? ann : undefined) }, undefined);
  expect(await people.whose("a")).toEqual({ name: "ann", role: "operator" });
  for (let i = 0; i < 10; i++) await people.whose("a");
  expect(asked).toBe(1);
  known = false;
  vi.advanceTimersByTime(2_100);
  expect(await people.whose("a")).toBeUndefined();
  expect(people.wasKnown("a")).toBe(true);
  expect(people.wasKnown("b")).toBe(false);
});

test("the guest's token is good for this console only, and the journal never sees it", async () => {
  const guest = { name: "bob", role: "operator" as const, token: newToken() };
  const people = peopleIn({ tokenWith: async () => undefined }, guest);
  expect(await people.whose(guest.token)).toEqual({ name: "bob", role: "operator" });
  expect(await people.whose(`${guest.token}x`)).toBeUndefined();
  expect(await people.whose("x".repeat(10_000))).toBeUndefined();
});

test("tries that fail are counted for each address, for all together, and for a minute", () => {
  vi.useFakeTimers({ now: 0 });
  const failures = failuresPerMinute({ one: 2, all: 5 });
  failures.count("a");
  expect(failures.isTooMany("a")).toBe(false);
  failures.count("a");
  expect(failures.isTooMany("a")).toBe(true);
  expect(failures.isTooMany("b")).toBe(false);
  for (const one of ["c", "d", "e"]) failures.count(one);
  expect(failures.isTooMany("f")).toBe(true);
  vi.advanceTimersByTime(60_000);
  expect(failures.isTooMany("a")).toBe(false);
});

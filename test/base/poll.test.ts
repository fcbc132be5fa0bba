import { expect, test } from "vitest";
import type { Clock } from "../../src/base/clock.ts";
import { fakeClock } from "../fakes/clock.ts";
import { notYet, poll, yes } from "../../src/base/poll.ts";

const options = (clock: Clock, signal = new AbortController().signal) => ({
  what: "the sessions of web3 to end",
  every: 50,
  within: 120,
  clock,
  signal,
});

test("a wait looks at once, and costs nothing where the answer is there", async () => {
  const clock = fakeClock();
  expect(await poll({ ...options(clock), probe: async () => yes(7) })).toBe(7);
  expect(clock.slept).toEqual([]);
});

test("a wait ends at its limit, after a last look, and says what it saw last", async () => {
  const clock = fakeClock();
  let looks = 0;
  const waiting = poll({ ...options(clock), probe: async () => notYet(`${9 - looks++} left on lb1`) });
  await expect(waiting).rejects.toMatchObject({
    code: "WAIT_LIMIT",
    message: "waited 120ms for the sessions of web3 to end: 6 left on lb1",
  });
  expect(clock.slept).toEqual([50, 50, 20]);
});

test("a wait that lasts looks less often, and never less than ten times a second", async () => {
  const clock = fakeClock();
  const waiting = poll({ ...options(clock), every: 25, within: 10_000, probe: async () => notYet("1 left") });
  await expect(waiting).rejects.toMatchObject({ code: "WAIT_LIMIT" });
  expect(clock.slept[0]).toBe(25);
  expect(Math.max(...clock.slept)).toBe(100);
  expect(clock.slept.length).toBeLessThan(160); // 400 without
});

test("where a look says before when another would show nothing, that is waited for, a tenth of a second at most", async () => {
  const clock = fakeClock();
  const hints = [70, 10, 400];
  const probe = async () => (hints.length > 0 ? notYet("1 left", hints.shift()) : yes(undefined));
  await poll({ ...options(clock), within: 1_000, probe });
  expect(clock.slept).toEqual([70, 50, 100]);
});

test("whoever watches is told when what is seen changes, and only then", async () => {
  const saw = ["2 left", "2 left", "1 left"];
  const told: string[] = [];
  await poll({
    ...options(fakeClock()),
    probe: async () => (saw.length > 0 ? notYet(saw.shift() ?? "") : yes(undefined)),
    onSaw: (text) => told.push(text),
    within: 500,
  });
  expect(told).toEqual(["2 left", "1 left"]);
});

test("a wait ends at once when somebody stops it, and what a look throws comes out as it is", async () => {
  const stop = new AbortController();
  const probe = async () => {
    stop.abort();
    return notYet("9 left");
  };
  await expect(poll({ ...options(fakeClock(), stop.signal), probe })).rejects.toMatchObject({
    code: "INTERRUPTED",
  });
  const broken = poll({ ...options(fakeClock()), probe: () => Promise.reject(new TypeError("x is not y")) });
  await expect(broken).rejects.toThrow(TypeError);
});

import { expect, test } from "vitest";
import { lasting } from "../../src/base/lasting.ts";
import { systemClock } from "../../src/base/clock.ts";

test("an answer stands for its time, is shared by all who ask meanwhile, and so is a failure", async () => {
  let [now, asked] = [0, 0];
  const clock = { ...systemClock, now: () => now };
  const answer = lasting(
    1_000,
    async () => {
      asked++;
      if (asked === 2) throw new Error("down");
      return asked;
    },
    clock,
  );
  expect(await Promise.all([answer(), answer(), answer()])).toEqual([1, 1, 1]);
  now = 1_000;
  await expect(answer()).rejects.toThrow("down");
  await expect(answer()).rejects.toThrow("down");
  now = 2_000;
  expect(await answer()).toBe(3);
  expect(asked).toBe(3);
});

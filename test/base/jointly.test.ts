import { expect, test } from "vitest";
import { messageOf } from "../../src/base/errors.ts";
import { jointly } from "../../src/base/jointly.ts";

const double = (all: number[]): number[] => all.map((one) => 2 * one);

test("what is asked while a question is on its way goes into the next one, together, and each gets its own answers", async () => {
  const questions: number[][] = [];
  let answer = (): void => {};
  const ask = jointly(async (all: number[]) => {
    questions.push(all);
    if (questions.length === 1) await new Promise<void>((resolve) => (answer = resolve));
    return double(all);
  });
  const first = ask([1]);
  await expect.poll(() => questions.length).toBe(1);
  const rest = Promise.all([ask([2, 3]), ask([]), ask([4])]);
  answer();
  expect([await first, ...(await rest)]).toEqual([[2], [4, 6], [], [8]]);
  expect(questions).toEqual([[1], [2, 3, 4]]);
  expect(await ask([5])).toEqual([10]);
});

test("who asks in the same turn is asked about together", async () => {
  const questions: number[][] = [];
  const ask = jointly(async (all: number[]) => {
    questions.push(all);
    return double(all);
  });
  expect(await Promise.all([ask([1]), ask([2])])).toEqual([[2], [4]]);
  expect(questions).toEqual([[1, 2]]);
});

test("nobody fails for somebody else, but for what is everybody's", async () => {
  const questions: number[][] = [];
  const ask = jointly(
    async (all: number[]) => {
      questions.push(all);
      if (all.includes(13)) throw new Error("no such server");
      if (all.includes(99)) throw new Error("no answer");
      return double(all);
    },
    { isEverybodys: (thrown) => thrown instanceof Error && thrown.message === "no answer" },
  );
  const said = async (...all: number[]): Promise<unknown[]> =>
    (await Promise.allSettled(all.map((one) => ask([one])))).map((end) =>
      end.status === "fulfilled" ? end.value : messageOf(end.reason),
    );
  expect(await said(1, 13, 2)).toEqual([[2], "no such server", [4]]);
  expect(questions).toEqual([[1, 13, 2], [1], [13, 2], [13], [2]]);
  expect(await said(1, 99, 2)).toEqual(["no answer", "no answer", "no answer"]);
  expect(questions.slice(5)).toEqual([[1, 99, 2]]);
});

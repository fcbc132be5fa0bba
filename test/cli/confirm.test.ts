import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { type Ask, askedBeside, confirm, isYes } from "../../src/cli/confirm.ts";
import type { Io } from "../../src/cli/io.ts";

/** A person who types this when asked; nothing: who closes the input; undefined: nobody, there is no terminal. */
function typing(answer: string | undefined): { io: Io; asked: () => string } {
  const questions = new PassThrough();
  const keyboard = new PassThrough();
  let asked = "";
  questions.on("data", (chunk: Buffer) => {
    if (asked === "" && answer === "") keyboard.end();
    else if (asked === "") keyboard.write(answer);
    asked += chunk.toString();
  });
  // Only what asking needs.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const io = { questions, keyboard: answer === undefined ? undefined : keyboard } as unknown as Io;
  return { io, asked: () => asked };
}

const ask = (over: Partial<Ask> = {}): Ask => ({ yes: false, force: false, name: "web1", ...over });

test.each(["y\n", "yes\n", " Y \n"])("%j is a yes", async (answer) => {
  const { io, asked } = typing(answer);
  await confirm(ask(), io);
  expect(asked()).toContain("go on? [y/N]");
});

test.each(["n\n", "\n", "yesterday\n", ""])("%j is none", async (answer) => {
  await expect(confirm(ask(), typing(answer).io)).rejects.toMatchObject({
    code: "REFUSED",
    left: "nothing was touched",
  });
});

test("past the capacity guard the node's name is typed", async () => {
  await confirm(ask({ force: true }), typing("web1\n").io);
  await expect(confirm(ask({ force: true }), typing("y\n").io)).rejects.toMatchObject({ code: "REFUSED" });
});

test("without a terminal it goes on, but not past the capacity guard", async () => {
  await confirm(ask(), typing(undefined).io);
  await expect(confirm(ask({ force: true }), typing(undefined).io)).rejects.toMatchObject({ code: "USAGE" });
  await confirm(ask({ force: true, yes: true }), typing(undefined).io);
  expect(await isYes("run it again? [y/N] ", typing(undefined).io)).toBe(false);
});

test("a question in the middle of a run is asked where nothing is painted, and only at a terminal", async () => {
  let painting = true;
  const view = {
    aside: async <T>(work: () => Promise<T>): Promise<T> => {
      painting = false;
      return await work().finally(() => (painting = true));
    },
  };
  const { signal } = new AbortController();
  const { io, asked } = typing("y\n");
  const answer = askedBeside(view, {}, signal, io)("go on all the same? [y/N] ");
  expect(painting).toBe(false);
  expect(await answer).toBe(true);
  expect(asked()).toContain("go on all the same?");
  expect(painting).toBe(true);
  for (const args of [{ yes: true }, { json: true }])
    expect(await askedBeside(view, args, signal, typing("y\n").io)("?")).toBe(false);
  expect(await askedBeside(view, {}, signal, typing(undefined).io)("?")).toBe(false);
  expect(await askedBeside(view, {}, AbortSignal.abort(), typing("y\n").io)("?")).toBe(false);
});

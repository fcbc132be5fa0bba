import * as fc from "fast-check";
import { expect, test } from "vitest";
import { cutFrames } from "../../src/balancer/frames.ts";

test("each command's answer is one frame: an empty line, or text that ends with one", () => {
  expect(cutFrames("\n1\n# be_id\n3 app\n\nadmin\n\n\n", 4)).toEqual({
    whole: ["", "1\n# be_id\n3 app", "admin", ""],
    rest: "",
  });
});

test("what is not whole yet stays", () => {
  expect(cutFrames("", 1)).toEqual({ whole: [], rest: "" });
  expect(cutFrames("adm", 1)).toEqual({ whole: [], rest: "adm" });
  expect(cutFrames("admin\n", 1)).toEqual({ whole: [], rest: "admin\n" });
  expect(cutFrames("\nadmin\n", 2)).toEqual({ whole: [""], rest: "admin\n" });
});

test("no more frames are cut than were asked for", () => {
  expect(cutFrames("\n\n\n", 2)).toEqual({ whole: ["", ""], rest: "\n" });
});

const line = fc.string({ minLength: 1, unit: fc.constantFrom("a", "1", ",", '"', " ", "#", "é") });
const answer = fc.oneof(
  fc.constant(""),
  fc.array(line, { minLength: 1, maxLength: 4 }).map((lines) => lines.join("\n")),
);
const streamOf = (answers: string[]): string =>
  answers.map((text) => (text === "" ? "\n" : `${text}\n\n`)).join("");

test("any answers come out of their stream as they went in", () => {
  fc.assert(
    fc.property(fc.array(answer), (answers) => {
      expect(cutFrames(streamOf(answers), answers.length)).toEqual({ whole: answers, rest: "" });
    }),
  );
});

test("wherever a stream is broken off, only answers that came whole are given", () => {
  fc.assert(
    fc.property(fc.array(answer, { minLength: 1 }), fc.nat(), (answers, at) => {
      const stream = streamOf(answers);
      const broken = stream.slice(0, at % stream.length);
      const { whole, rest } = cutFrames(broken, answers.length);
      expect(whole).toEqual(answers.slice(0, whole.length));
      expect(whole.length).toBeLessThan(answers.length);
      expect(broken.endsWith(rest)).toBe(true);
    }),
  );
});

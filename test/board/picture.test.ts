import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { picture } from "../../scripts/picture.ts";

test("the README's picture is the board of the run that was recorded", () => {
  const read = (name: string): string => readFileSync(join(import.meta.dirname, "../../docs", name), "utf8");
  expect(picture(read("run.ndjson"))).toBe(read("run.svg"));
});

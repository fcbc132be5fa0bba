import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { errorCodes } from "../src/base/errors.ts";

test("docs/errors.md lists every error code, and no other", () => {
  const page = readFileSync(join(import.meta.dirname, "../docs/errors.md"), "utf8");
  const listed = [...page.matchAll(/^\| \[`([A-Z_]+)`\]\(operating\.md#\1\) \|/gim)].map(([, code]) => code);
  expect(listed).toEqual([...errorCodes]);
});

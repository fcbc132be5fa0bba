import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hooks, isHook } from "../../src/restart/node-files.ts";

const root = join(import.meta.dirname, "../..");
const rota = (...words: string[]): string =>
  execFileSync(join(root, "scripts/rota"), words, { encoding: "utf8", maxBuffer: 1 << 20 });

test("rota hooks lists the files for nodes, and prints each as it is in the source", () => {
  const listed = rota("hooks")
    .trim()
    .split("\n")
    .map((line) => line.split(" ")[0]);
  expect(listed).toEqual(Object.keys(hooks));
  for (const name of Object.keys(hooks).filter(isHook)) {
    expect(rota("hooks", name)).toBe(readFileSync(join(root, "src/restart", hooks[name].file), "utf8"));
  }
});

test("a hook that is not there is an error of the command line", () => {
  expect(() => rota("hooks", "apache")).toThrow(
    /there is no hook apache, only gunicorn, gunicorn-roll, uwsgi, uwsgi-roll/,
  );
});

test.each(["gunicorn-roll", "uwsgi-roll"] as const)(
  "roll.py (%s) fits into one environment variable of a command",
  (name) => {
    // Linux takes 128 KiB for one; half of that leaves room for what is to come.
    expect(statSync(join(root, "src/restart", hooks[name].file)).size).toBeLessThan(60_000);
  },
);

import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

/** From the ground up: a room imports from those below it, never from beside or above. */
const floors = [
  ["base"],
  ["events"],
  ["inventory"],
  ["rotation"],
  ["remote", "health", "restart"],
  ["balancer", "journal"],
  ["doctor"],
  ["board", "drafting"],
  ["console", "notices"],
  ["cli"],
];

const src = join(import.meta.dirname, "../src");
const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name));

interface Import {
  from: string;
  to: string;
  /** Gone once it is compiled. */
  typesOnly: boolean;
}

const imports = files.flatMap((file) => importsOf(file, readFileSync(join(src, file), "utf8")));

function importsOf(from: string, text: string): Import[] {
  const statements = text.matchAll(
    /(?:^|\n)(import|export)(\s+type)?\b[^;"]*?"(\.[^"]+)"|\bimport\("(\.[^"]+)"\)/g,
  );
  return [...statements].map(([, , type, path, lazy]) => ({
    from,
    to: relative(src, join(src, dirname(from), path ?? lazy ?? "")),
    typesOnly: type !== undefined,
  }));
}

const roomOf = (file: string): string => file.split("/")[0] ?? "";
const floorOf = (file: string): number => floors.findIndex((rooms) => rooms.includes(roomOf(file)));

test("every file of src lies in a room that the house knows", () => {
  expect(files.filter((file) => floorOf(file) < 0)).toEqual([]);
  expect(imports.length).toBeGreaterThan(150); // or the pattern above no longer reads them
});

test("imports point downwards only", () => {
  const wrong = imports.filter(({ from, to }) => roomOf(from) !== roomOf(to) && floorOf(to) >= floorOf(from));
  expect(wrong).toEqual([]);
});

test("the heart knows none of the rooms around it", () => {
  const heart = imports.filter(({ from }) => roomOf(from) === "rotation");
  const allowed = ["base", "events", "inventory", "rotation"];
  expect([...new Set(heart.map(({ to }) => roomOf(to)))].toSorted()).toEqual(allowed);
});

test("no file needs itself, through whatever it imports", () => {
  const needs = new Map<string, string[]>(files.map((file) => [file, []]));
  for (const { from, to, typesOnly } of imports) if (!typesOnly) needs.get(from)?.push(to);
  const settled = new Set<string>();
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) throw new Error([...path, file].join(" → "));
    if (settled.has(file)) return;
    for (const next of needs.get(file) ?? []) visit(next, [...path, file]);
    settled.add(file);
  };
  for (const file of files) visit(file, []);
  expect(settled.size).toBe(files.length);
});

test("no file is longer than one can hold in the head", () => {
  const lines = (file: string): number => readFileSync(join(src, file), "utf8").split("\n").length;
  expect(files.filter((file) => lines(file) > 260)).toEqual([]);
});

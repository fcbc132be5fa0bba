import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { manPage } from "../../scripts/man.ts";
import { reference, schemaFile } from "../../scripts/docs.ts";

const read = (name: string): string => readFileSync(join(import.meta.dirname, "../..", name), "utf8");

test("inventories/schema.json is what the schema makes of itself; if not, npx tsx scripts/docs.ts", async () => {
  expect(read("inventories/schema.json")).toBe(await schemaFile());
});

test("so is docs/inventory.md", () => {
  expect(read("docs/inventory.md")).toBe(reference(read("inventories/two-nodes.yml")));
});

test("so is man/rota.1 of the commands", () => {
  expect(read("man/rota.1")).toBe(manPage());
});

test("every key in the reference has a meaning", () => {
  const rows = read("docs/inventory.md").match(/^\| `.*$/gm) ?? [];
  expect(rows.length).toBeGreaterThan(30);
  expect(rows.filter((row) => /\| *\|$/.test(row))).toEqual([]);
});

test("every link inside the reference leads to a heading of it", () => {
  const page = read("docs/inventory.md");
  const headings = [...page.matchAll(/^## `(.*)`$/gm)].map(([, path = ""]) =>
    path.toLowerCase().replaceAll(".", "").replaceAll(" ", "-"),
  );
  const links = [...page.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor);
  expect(links.filter((anchor) => !headings.includes(anchor ?? ""))).toEqual([]);
});

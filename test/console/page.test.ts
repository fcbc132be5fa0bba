import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { pageFiles } from "../../src/console/page-files.ts";

const sources = join(import.meta.dirname, "../../src/console/page");
execFileSync(join(import.meta.dirname, "../../scripts/rota"), ["--version"]); // builds, if it must

const files = new Map(
  [...pageFiles()].map(([path, { type, body }]) => [path, { type, text: Buffer.from(body).toString() }]),
);

test("the page is small: it comes fast over a phone, in the middle of the night", () => {
  const all = [...files.values()].map(({ text }) => text).join("");
  expect(all.length).toBeLessThan(60_000);
  expect(gzipSync(all).length).toBeLessThan(20_000);
});

test("the page is of our own files only, and holds nothing that its policy would refuse", () => {
  for (const [path, { text }] of files) {
    const addresses = [...text.matchAll(/https?:\/\/[\w./-]+/g)].map(([address]) => address);
    expect(
      addresses.filter((address) => !address.startsWith("http://www.w3.org/")),
      path,
    ).toEqual([]); // names of XML
    expect(/\beval\(|new Function/.test(text), path).toBe(false);
  }
  const source = readdirSync(sources).map((name) => readFileSync(join(sources, name), "utf8"));
  expect(source.join("")).not.toMatch(/dangerously|innerHTML/);
  const page = files.get("/")?.text ?? "";
  expect(page).not.toMatch(/style=|onclick=|<script>/);
  expect([...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, to]) => files.has(to ?? ""))).toEqual([
    true,
    true,
    true,
  ]);
});

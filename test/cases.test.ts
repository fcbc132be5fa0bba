import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Report, tablesOf, withTables } from "../scripts/cases.ts";

const page = readFileSync(join(import.meta.dirname, "../docs/haproxy.md"), "utf8");

const reportOf = (
  haproxy: string,
  results: {
    title: string;
    status: string;
    cases?: { name: string; sent?: number; lost?: number; saw?: string }[];
  }[],
): Report => ({
  startTime: Date.parse("2030-01-02T03:04:05Z"),
  testResults: [
    {
      name: "/somewhere/test/lab/deploy.test.ts",
      assertionResults: results.map(({ title, status, cases = [] }) => ({
        title,
        status,
        meta: { cases: cases.map((one) => ({ ...one, haproxy })) },
      })),
    },
  ],
});

test("the table has a row a case and a column a version, and what failed or did not run is said", () => {
  const tables = tablesOf([
    reportOf("2.6.12-1+deb12u3", [
      { title: "ten", status: "passed", cases: [{ name: "ten deploys", sent: 12345, lost: 0 }] },
      {
        title: "cut",
        status: "passed",
        cases: [{ name: "cut", sent: 10, lost: 2, saw: "2 × 502" }, { name: "a|b" }],
      },
      { title: "new", status: "skipped" },
    ]),
    reportOf("3.2.26-1", [
      { title: "ten", status: "failed", cases: [{ name: "ten deploys", sent: 12000, lost: 3 }] },
      { title: "cut", status: "failed" },
      { title: "new", status: "passed", cases: [{ name: "only here" }] },
    ]),
  ]);
  expect(tables).toBe(`Seen on 2030-01-02, on HAProxy 2.6.12-1+deb12u3 and HAProxy 3.2.26-1.

| case | 2.6.12 | 3.2.26 | test |
| --- | --- | --- | --- |
| ten deploys | 12,345 sent, 0 lost | **failed**; 12,000 sent, 3 lost | deploy.test.ts |
| cut | 10 sent, 2 lost; 2 × 502 | **failed** | deploy.test.ts |
| a\\|b | passed | **failed** | deploy.test.ts |
| only here | not run | passed | deploy.test.ts |

All tests of these files, passed of those that ran:

| test | 2.6.12 | 3.2.26 |
| --- | --- | --- |
| deploy.test.ts | 2 of 2 | 1 of 3 |`);
});

test("a report of no HAProxy, or of two, makes no table", () => {
  const one = reportOf("2.6.12", [{ title: "t", status: "passed", cases: [{ name: "c" }] }]);
  const other = reportOf("3.0.11", [{ title: "u", status: "passed", cases: [{ name: "d" }] }]);
  const both = { ...one, testResults: [...one.testResults, ...other.testResults] };
  expect(() => tablesOf([both])).toThrow("it names 2.6.12 and 3.0.11");
  expect(() => tablesOf([reportOf("2.6.12", [{ title: "t", status: "passed" }])])).toThrow("it names none");
});

test("the page has a place for the tables, and its rows name tests that are there", () => {
  expect(withTables(withTables(page, "| a |"), "| b |")).toBe(withTables(page, "| b |"));
  expect(() => withTables("nothing", "")).toThrow("no place");
  const named = [...page.matchAll(/[\w-]+\.test\.ts/g)].map(([name]) => name);
  expect(named.filter((name) => !existsSync(join(import.meta.dirname, "lab", name)))).toEqual([]);
});

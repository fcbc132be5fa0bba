/**
 * The table of docs/haproxy.md, from vitest's JSON reports of the lab's tests, one report a HAProxy.
 * `cases.ts REPORT…` prints it; `cases.ts --write REPORT…` puts it into the page.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Case } from "../test/lab/cases.ts";

/** What is read of a report. */
export interface Report {
  startTime: number;
  testResults: { name: string; assertionResults: Result[] }[];
}

interface Result {
  title: string;
  status: string;
  meta: { cases?: Case[] };
}

interface Row {
  name: string;
  file: string;
  title: string;
}

const [opening, closing] = [
  "<!-- cases: written by scripts/chaos versions --write -->",
  "<!-- end of cases -->",
];

/** Markdown; throws where a report says of no case which HAProxy it is about. */
export function tablesOf(reports: Report[]): string {
  const days = reports.map(({ startTime }) => new Date(startTime).toISOString().slice(0, 10));
  const versions = reports.map(versionOf);
  return [
    `Seen on ${[...new Set(days)].join(", ")}, on ${listed(versions.map((version) => `HAProxy ${version}`))}.`,
    table(
      ["case", ...versions.map(short), "test"],
      rowsOf(reports).map((row) => [row.name, ...reports.map((report) => seenIn(report, row)), row.file]),
    ),
    "All tests of these files, passed of those that ran:",
    table(
      ["test", ...versions.map(short)],
      unique(reports.flatMap(filesOf)).map((file) => [
        file,
        ...reports.map((report) => passedOf(report, file)),
      ]),
    ),
  ].join("\n\n");
}

/** The page with other tables; throws where their place is not marked. */
export function withTables(page: string, tables: string): string {
  const [from, to] = [page.indexOf(opening), page.indexOf(closing)];
  if (from === -1 || to < from)
    throw new Error(`the page has no place between "${opening}" and "${closing}"`);
  return `${page.slice(0, from)}${opening}\n\n${tables}\n\n${page.slice(to)}`;
}

const resultsOf = (report: Report, file: string): Result[] =>
  report.testResults
    .filter(({ name }) => basename(name) === file)
    .flatMap(({ assertionResults }) => assertionResults);

/** In the order of their names, whatever order they ran in. */
const filesOf = ({ testResults }: Report): string[] =>
  testResults.map(({ name }) => basename(name)).toSorted();

const unique = (all: string[]): string[] => [...new Set(all)].toSorted();

function versionOf(report: Report): string {
  const versions = unique(
    report.testResults.flatMap(({ assertionResults }) =>
      assertionResults.flatMap(({ meta }) => (meta.cases ?? []).map(({ haproxy }) => haproxy)),
    ),
  );
  if (versions.length !== 1)
    throw new Error(`a report of one HAProxy, but it names ${listed(versions) || "none"}`);
  return versions[0] ?? "";
}

/** "2.6.12", without what a distribution adds. */
const short = (version: string): string => version.replace(/-.*/, "");

function rowsOf(reports: Report[]): Row[] {
  const rows = new Map<string, Row>();
  for (const file of unique(reports.flatMap(filesOf)))
    for (const { title, meta } of reports.flatMap((report) => resultsOf(report, file)))
      for (const { name } of meta.cases ?? []) rows.set(name, rows.get(name) ?? { name, file, title });
  return [...rows.values()];
}

function seenIn(report: Report, { name, file, title }: Row): string {
  const result = resultsOf(report, file).find((one) => one.title === title);
  if (!result || (result.status !== "passed" && result.status !== "failed")) return "not run";
  const { sent, lost, saw } = result.meta.cases?.find((one) => one.name === name) ?? {};
  const counted = [sent, lost].every((count) => count === undefined)
    ? []
    : [`${sent === undefined ? "" : `${number(sent)} sent, `}${number(lost ?? 0)} lost`];
  const verdict = result.status === "failed" ? ["**failed**"] : [];
  return [...verdict, ...counted, ...(saw === undefined ? [] : [saw])].join("; ") || "passed";
}

function passedOf(report: Report, file: string): string {
  const results = resultsOf(report, file);
  const count = (status: string): number => results.filter((one) => one.status === status).length;
  const ran = count("passed") + count("failed");
  return ran === 0 ? "not run" : `${count("passed")} of ${ran}`;
}

const number = (count: number): string => count.toLocaleString("en");

const listed = (all: string[]): string =>
  all.length < 2 ? all.join("") : `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`;

const table = (head: string[], rows: string[][]): string =>
  [head, head.map(() => "---"), ...rows]
    .map(
      (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`,
    )
    .join("\n");

if (process.argv[1] === import.meta.filename) {
  const [first, ...rest] = process.argv.slice(2);
  const write = first === "--write";
  const paths = write ? rest : process.argv.slice(2);
  const tables = tablesOf(paths.map((path): Report => JSON.parse(readFileSync(path, "utf8"))));
  const page = join(import.meta.dirname, "../docs/haproxy.md");
  if (write) writeFileSync(page, withTables(readFileSync(page, "utf8"), tables));
  else process.stdout.write(`${tables}\n`);
}

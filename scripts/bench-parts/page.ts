/** The parts of docs/performance.md that are measured stand between two marks; the rest is written by hand. */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { format } from "prettier";

export const docs = join(import.meta.dirname, "../../docs");

export async function writePart([begin, end]: [begin: string, end: string], lines: string[]): Promise<void> {
  const path = join(docs, "performance.md");
  const page = readFileSync(path, "utf8");
  if (!page.includes(begin) || !page.includes(end)) throw new Error(`${path} lacks ${begin} … ${end}`);
  const head = page.slice(0, page.indexOf(begin));
  const tail = page.slice(page.indexOf(end));
  const text = [head + begin, "", ...lines, "", tail].join("\n");
  writeFileSync(path, await format(text, { parser: "markdown", printWidth: 110 }));
}

export const table = (rows: string[][]): string[] => {
  const [head = [], ...others] = rows;
  return [head, head.map(() => "---"), ...others].map((cells) => `| ${cells.join(" | ")} |`);
};

/** "2026-11-27, 2 × AMD EPYC" */
export const whenAndWhere = (): string =>
  `${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpus()[0]?.model.trim()}`;

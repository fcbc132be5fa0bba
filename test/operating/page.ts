/** The runbook, read by its test. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The entries of docs/operating.md: heading, and the message that stands there. */
export function entriesIn(page: string): Map<string, [message: string, entry: string]> {
  const entries = page.split(/^### /m).slice(1);
  return new Map(
    entries.map((entry) => {
      const [, heading = ""] = /^`?([^`\n]+)`?\n/.exec(entry) ?? [];
      const [, quoted = ""] = /^```text\n(.*?)^```$/ms.exec(entry) ?? [];
      return [heading, [quoted.trimEnd(), entry]];
    }),
  );
}

/** Where the message names no command: what the entry says. */
export const nextIn = (entry: string): string => /^- \*\*Next:\*\* `(rota [^`]+)`/m.exec(entry)?.[1] ?? "";

export const page = (): string => readFileSync(join(import.meta.dirname, "../../docs/operating.md"), "utf8");

/** What differs from one run of the test to the next. */
export const masked = (text: string): string =>
  text
    .replaceAll(/SHA256:[\w+/]+/g, "SHA256:…")
    .replaceAll(/(?:\/[\w.@-]+)+\/site\.yml/g, "site.yml")
    .replaceAll(/(?:\/[\w.@-]+)*\/rota-(?:host|site|lb)-\w+/g, "/srv")
    .replaceAll(/by \S+@\S+?(?=[,;): ]|$)/gm, "by ada@here")
    .replaceAll(/\bprocess \d+/g, "process 4711")
    .replaceAll(/(?<=(?:tcp:\/\/|ipv4@|ECONN\w+ )127\.0\.0\.1:)\d+/g, "9999")
    .replaceAll(/(?<=http:\/\/127\.0\.0\.1:)\d+/g, "8001")
    .replaceAll(/(?<=(?:deploy@|ada@|\(|\[)127\.0\.0\.1\]?:|-p )\d+/g, "22")
    .replaceAll(/\bdeploy@127/g, "ada@127")
    .replaceAll(/\b(?=[0-9a-f]*\d|[a-f]{6}\b)[0-9a-f]{6}\b(?!-)/g, "7f3a9c")
    .replaceAll(/-[0-9a-f]{12}\b/g, "-0123456789ab")
    .replaceAll(/(?<!--wait |--for )\b\d+(?:\.\d+)?(?:ms|s|m|h|min)(?:\d+s)?\b/g, "10s")
    .replaceAll(/^.*requests failed.*$/gm, (line) =>
      line.replaceAll(/\b[\d,]+(?= %| of | requests)|(?<=of )[\d,]+/g, "20"),
    );

/** How a fault of shape is said. What the schema words itself goes before this. */
import type { $ZodErrorMap } from "zod/v4/core";
import { either, shown } from "./names.ts";

export const wording: $ZodErrorMap = (issue) => {
  const { code, input } = issue;
  if (code === "invalid_type") return wrongType(issue.expected, input);
  if (code === "invalid_value" && input === undefined) return "is missing";
  if (code === "invalid_value") {
    return `${shown(input)} is not accepted here; write ${either(issue.values.map(String))}`;
  }
  if (code === "too_small" && Array.isArray(input)) return "is empty; name at least one";
  if (code === "too_small") return `${shown(input)} is too small; at least ${issue.minimum}`;
  if (code === "too_big") return `${shown(input)} is too large; at most ${issue.maximum}`;
  return undefined;
};

const words: Record<string, string> = {
  string: "a text",
  int: "a whole number",
  number: "a number",
  boolean: "true or false",
  array: "a list, such as [one, two]",
  object: "a map",
  record: "a map",
};

function wrongType(expected: string, input: unknown): string {
  if (input === undefined) return "is missing";
  const wanted = words[expected] ?? expected;
  if (input === null) return `is empty; write ${wanted}, or leave the key out`;
  if (expected === "string" && (typeof input === "number" || typeof input === "boolean")) {
    return `${input} is a ${typeof input}; put it in quotes to make it a text`;
  }
  if (typeof input === "string" && String(Number(input)) === input && wanted.endsWith("number")) {
    return `${shown(input)} is a text; write ${input} without quotes`;
  }
  return `${sortOf(input)} is not accepted here; write ${wanted}`;
}

function sortOf(input: unknown): string {
  if (Array.isArray(input)) return "a list";
  return typeof input === "object" ? "a map" : shown(input);
}

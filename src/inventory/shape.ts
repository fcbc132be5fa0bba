/** Holds a file's content against the schema; every fault of shape becomes a finding. */
import * as z from "zod";
import type { $ZodIssue, $ZodType } from "zod/v4/core";
import { cut } from "./names.ts";
import { nearest } from "./near.ts";
import type { Finding, Path } from "./problems.ts";
import { type Inventory, inventorySchema } from "./schema.ts";
import { wording } from "./wording.ts";

export type Shaped = { inventory: Inventory; findings: [] } | { inventory: undefined; findings: Finding[] };

export function shape(content: unknown): Shaped {
  const result = inventorySchema.safeParse(content, { error: wording });
  if (result.success) return { inventory: result.data, findings: [] };
  return { inventory: undefined, findings: result.error.issues.flatMap((issue) => findingsOf(issue, [])) };
}

function findingsOf(issue: $ZodIssue, above: Path): Finding[] {
  const path = [...above, ...issue.path.map(asKey)];
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(path, key));
  if (issue.code === "invalid_union") {
    // The branch that got further than "this is not even a map" is the one that was meant.
    const meant = issue.errors.find(
      (issues) => !issues.some(({ path: at, code }) => at.length === 0 && code === "invalid_type"),
    );
    if (meant) return meant.flatMap((inner) => findingsOf(inner, path));
  }
  return [{ path, on: "value", text: issue.message }];
}

const asKey = (part: PropertyKey): string | number => (typeof part === "symbol" ? String(part) : part);

function unknownKey(path: Path, key: string): Finding {
  const accepted = keysOf(schemaAt(inventorySchema, path));
  const meant = nearest(key, accepted);
  const hint = meant ? `did you mean "${meant}"?` : `accepted here: ${accepted.join(", ")}`;
  return { path: [...path, key], on: "key", text: `unknown key "${cut(key)}"; ${hint}` };
}

const keysOf = (schema: $ZodType | undefined): string[] =>
  schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];

/** The map that the schema has at a path, seen through defaults and unions. */
function schemaAt(schema: $ZodType, path: Path): $ZodType | undefined {
  const [key, ...rest] = path;
  const bare = mapIn(schema);
  if (key === undefined || !bare) return bare;
  if (bare instanceof z.ZodRecord) return schemaAt(bare.valueType, rest);
  const next: $ZodType | undefined = bare instanceof z.ZodObject ? bare.shape[key] : undefined;
  return next && schemaAt(next, rest);
}

function mapIn(schema: $ZodType): $ZodType | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return mapIn(schema.unwrap());
  }
  if (schema instanceof z.ZodUnion) return schema.options.find((option) => option instanceof z.ZodObject);
  return schema;
}

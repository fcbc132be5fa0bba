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
  return {
    inventory: undefined,
    findings: result.error.issues.flatMap((issue) => findingsOf(issue, [], content)),
  };
}

function findingsOf(issue: $ZodIssue, above: Path, content: unknown): Finding[] {
  const path = [...above, ...issue.path.map(asKey)];
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(path, key, content));
  if (issue.code === "invalid_union") {
    // The branch that got further than "this is not even a map" is the one that was meant.
    const meant = issue.errors.find(
      (issues) => !issues.some(({ path: at, code }) => at.length === 0 && code === "invalid_type"),
    );
    if (meant) return meant.flatMap((inner) => findingsOf(inner, path, content));
  }
  return [{ path, on: "value", text: issue.message }];
}

const asKey = (part: PropertyKey): string | number => (typeof part === "symbol" ? String(part) : part);

function unknownKey(path: Path, key: string, content: unknown): Finding {
  const accepted = keysOf(schemaAt(inventorySchema, path, content));
  const meant = nearest(
    key,
    accepted.filter((one) => !isThere(content, path, one)),
  );
  const hint = meant ? `did you mean "${meant}"?` : `accepted here: ${accepted.join(", ")}`;
  return { path: [...path, key], on: "key", text: `unknown key "${cut(key)}"; ${hint}` };
}

/** What is there already was not meant by another key. */
function isThere(content: unknown, path: Path, key: string): boolean {
  const map = path.reduce(valueAt, content);
  return typeof map === "object" && map !== null && Object.hasOwn(map, key);
}

const keysOf = (schema: $ZodType | undefined): string[] =>
  schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];

/** The map that the schema has at a path, seen through defaults and unions. */
function schemaAt(schema: $ZodType, path: Path, content: unknown): $ZodType | undefined {
  const [key, ...rest] = path;
  const bare = mapIn(schema, content);
  if (key === undefined || !bare) return bare;
  const below = valueAt(content, key);
  if (bare instanceof z.ZodRecord) return schemaAt(bare.valueType, rest, below);
  if (bare instanceof z.ZodArray) return schemaAt(bare.element, rest, below);
  const next: $ZodType | undefined = bare instanceof z.ZodObject ? bare.shape[key] : undefined;
  return next && schemaAt(next, rest, below);
}

function valueAt(content: unknown, key: string | number): unknown {
  if (typeof content !== "object" || content === null) return undefined;
  const entries: [string, unknown][] = Object.entries(content);
  return entries.find(([name]) => name === String(key))?.[1];
}

function mapIn(schema: $ZodType, content: unknown): $ZodType | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return mapIn(schema.unwrap(), content);
  }
  if (schema instanceof z.ZodDiscriminatedUnion) return branchOf(schema, content);
  if (schema instanceof z.ZodUnion) return schema.options.find((option) => option instanceof z.ZodObject);
  return schema;
}

/** The map that is meant, where one of its keys says which. */
const branchOf = (schema: z.ZodDiscriminatedUnion, content: unknown): $ZodType | undefined =>
  schema.options.find(
    (option) =>
      option instanceof z.ZodObject &&
      z.safeParse(
        option.shape[schema.def.discriminator] ?? z.never(),
        valueAt(content, schema.def.discriminator),
      ).success,
  );

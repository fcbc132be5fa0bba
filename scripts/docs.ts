/** The inventory's schema → inventories/schema.json, for editors, and docs/inventory.md; the commands → man/rota.1. `npx tsx scripts/docs.ts` */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { durationPattern } from "../src/base/duration.ts";
import { either, environmentPattern, namePattern, variablePattern } from "../src/inventory/names.ts";
import { percentPattern } from "../src/inventory/schema-parts.ts";
import { editorSchema, nodeKeyPattern } from "../src/inventory/schema.ts";
import { manPage } from "./man.ts";

/** What is used here of JSON Schema. */
interface Schema {
  type?: string;
  description?: string;
  default?: unknown;
  const?: string;
  enum?: string[];
  examples?: string[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  propertyNames?: Schema;
  additionalProperties?: boolean | Schema;
}

/** A map whose keys are fixed; each becomes a table. */
interface Section {
  /** "pools.NAME.check"; empty for the file itself. */
  path: string;
  description: string;
  schema: Schema;
}

/** As prettier leaves it, so that neither of the two undoes the other's work. */
export const schemaFile = (): Promise<string> =>
  format(JSON.stringify(editorSchema()), { parser: "json", printWidth: 110 });

/** The reference page, around an example. */
export function reference(example: string): string {
  const schema: Schema = JSON.parse(JSON.stringify(editorSchema()));
  const sections = withoutTwins(sectionsOf(schema, "", ""));
  return [
    introduction,
    `\`\`\`yaml\n${example.trimEnd()}\n\`\`\``,
    formats,
    ...sections.map((section) => told(section, sections)),
    "",
  ]
    .join("\n\n")
    .replace(/\n+$/, "\n");
}

const introduction = `# The inventory

<!-- Made from src/inventory/schema.ts by scripts/docs.ts: change it there. -->

One YAML file describes one fleet: its balancers, and its nodes in pools. rota takes the file that \`-i FILE\` names,
else the one in \`$ROTA_INVENTORY\`, else the only \`*.yml\` in \`inventories/\`. Every command reads and checks the
whole file before it touches anything; each fault is told with line and column. An editor that knows the YAML
language server completes and explains the keys, if the first line is the one below and
[schema.json](../inventories/schema.json) lies beside the file.

This is [two-nodes.yml](../inventories/two-nodes.yml); [fleet.yml](../inventories/fleet.yml) shows more.`;

const formats = `## What values look like

- A **name** goes into HAProxy's commands: letters, digits and \`. _ : -\`, at most 256.
- A **duration** is a number with its unit: \`250ms\`, \`90s\`, \`1.5h\`, \`1d\`; longer than 0, at most \`24d\`.
- A **percent** is above 0 and at most 100: \`25%\`.
- A **range** stands for several nodes, in a key of \`nodes\` and in its host alike: \`web[3:6]: 10.0.1.[13:16]\` is
  web3 at 10.0.1.13 to web6 at 10.0.1.16. Zeros in front are kept: \`web[01:10]\`.
- A **variable** has letters, digits and \`_\` in its name. It reaches your commands as environment, never by pasting
  its value into the command, and fills \`{NAME}\` in \`check.url\`, \`check.body\` and \`release\`. \`--set\` wins over a node's \`vars\`,
  and these over the pool's. Names that begin with \`ROTA_\` are rota's own.
- YAML's anchors and aliases (\`&web\`, \`*web\`) are followed; \`<<\` is not.`;

function sectionsOf(schema: Schema, path: string, description: string, via = ""): Section[] {
  const below = (part: string): string => (path ? `${path}.${part}` : part);
  const said = schema.description ?? description;
  if (schema.oneOf)
    return schema.oneOf.flatMap((one) => sectionsOf(one, path, meaningOf(kindIn(one)), viaOf(one)));
  if (schema.anyOf) return schema.anyOf.flatMap((one) => sectionsOf(one, path, said));
  if (schema.properties) {
    const inside = Object.entries(schema.properties);
    return [
      { path: path + via, description: said, schema },
      ...inside.flatMap(([key, value]) => sectionsOf(value, below(key), "")),
    ];
  }
  if (schema.items) return sectionsOf(schema.items, path, said);
  const values = schema.additionalProperties;
  return typeof values === "object" ? sectionsOf(values, below("NAME"), said) : [];
}

/** What tells one of several maps from the others. */
const kindIn = ({ properties }: Schema): Schema => properties?.["via"] ?? {};
const viaOf = (one: Schema): string => ` via ${kindIn(one).const ?? ""}`;

/** What may stand in two places is told once, where the path is shorter. */
const withoutTwins = (sections: Section[]): Section[] =>
  sections.filter((section) => twinOf(section.schema, sections) === section);

function twinOf({ properties }: Schema, sections: Section[]): Section | undefined {
  const same = sections.filter(
    ({ schema }) => JSON.stringify(schema.properties) === JSON.stringify(properties),
  );
  return same.toSorted((a, b) => a.path.length - b.path.length)[0];
}

function told({ path, description, schema }: Section, sections: Section[]): string {
  const rows = Object.entries(schema.properties ?? {}).map(([key, value]) => [
    `\`${key}\``,
    kindOf(value, sections),
    schema.required?.includes(key) ? "required" : defaultOf(value),
    meaningOf(value),
  ]);
  return [
    `## ${headingOf(path)}`,
    ...(description ? [`\n${description}`] : []),
    "",
    row(["key", "value", "default", "meaning"]),
    row(["---", "---", "---", "---"]),
    ...rows.map(row),
  ].join("\n");
}

const headingOf = (path: string): string => (path ? `\`${path}\`` : "The top of the file");

const row = (cells: string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;

const defaultOf = ({ default: value, properties, additionalProperties }: Schema): string =>
  value === undefined || properties || typeof additionalProperties === "object"
    ? ""
    : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;

function meaningOf({ description = "", examples, additionalProperties: values }: Schema): string {
  const shown = examples ?? (typeof values === "object" ? values.examples : undefined) ?? [];
  return [description, ...(shown.length > 0 ? [`For example ${either(shown.map(code))}.`] : [])]
    .filter(Boolean)
    .join(" ");
}

const code = (text: string): string => `\`${text}\``;

/** Patterns that have a name. */
const byPattern: Record<string, string> = {
  [namePattern.source]: "name",
  [durationPattern.source]: "duration",
  [variablePattern.source]: "variable's name",
  [environmentPattern.source]: "variable's name",
  [percentPattern.source]: "percent",
  [nodeKeyPattern.source]: "name or range",
};

const kindOf = (schema: Schema, sections: Section[]): string =>
  either([...new Set(kindsOf(schema, sections))]);

function kindsOf(schema: Schema, sections: Section[]): string[] {
  if (schema.const !== undefined) return [code(schema.const)];
  if (schema.enum) return schema.enum.map(code);
  const some = schema.anyOf ?? schema.oneOf;
  if (some) return some.flatMap((one) => kindsOf(one, sections));
  if (schema.items) return [`list: ${kindOf(schema.items, sections)}`];
  if (schema.properties) return [linkTo(twinOf(schema, sections)?.path ?? "")];
  if (typeof schema.additionalProperties === "object") {
    const names = kindOf(schema.propertyNames ?? {}, sections);
    return [`map: ${names} → ${kindOf(schema.additionalProperties, sections)}`];
  }
  if (schema.type === "integer") return [`whole number, ${boundsOf(schema)}`];
  if (schema.type === "boolean") return ["true", "false"];
  return [
    byPattern[schema.pattern ?? ""] ?? (schema.type === "string" ? "text" : (schema.type ?? "anything")),
  ];
}

const boundsOf = ({ minimum = 0, maximum = Infinity }: Schema): string =>
  maximum < Number.MAX_SAFE_INTEGER ? `${minimum} to ${maximum}` : `at least ${minimum}`;

/** GitHub's name for a heading. */
const linkTo = (path: string): string =>
  `[${path}](#${path.toLowerCase().replaceAll(".", "").replaceAll(" ", "-")})`;

if (process.argv[1] === import.meta.filename) {
  const at = (path: string): string => join(import.meta.dirname, "..", path);
  writeFileSync(at("inventories/schema.json"), await schemaFile());
  mkdirSync(at("man"), { recursive: true });
  writeFileSync(at("man/rota.1"), manPage());
  writeFileSync(at("docs/inventory.md"), reference(readFileSync(at("inventories/two-nodes.yml"), "utf8")));
}

/** Whether each `{NAME}` of a pool's check and restart will have a value, and whether the url is one. */
import type { Draft } from "./draft.ts";
import { nearest } from "./near.ts";
import { fill, ownPlaceholders, placeholdersIn } from "./placeholders.ts";
import type { Finding, Path } from "./problems.ts";

/** Each is looked up for each node. */
const mostPlaceholders = 50;

const templates = [
  { at: ["check", "url"], isUrl: true },
  { at: ["check", "body"], isUrl: false },
  { at: ["restart", "pidfile"], isUrl: false },
  { at: ["restart", "stats"], isUrl: false },
  { at: ["restart", "fifo"], isUrl: false },
  { at: ["restart", "touch"], isUrl: false },
  { at: ["restart", "proof", "pidfile"], isUrl: false },
  { at: ["restart", "proof", "is"], isUrl: false },
  { at: ["release", "upload"], isUrl: false },
  { at: ["release", "to"], isUrl: false },
  { at: ["status_page", "out", "post"], isUrl: true },
  { at: ["status_page", "in", "post"], isUrl: true },
];

export function checkPlaceholders(draft: Draft, pool: Path): Finding[] {
  const known = knownIn(draft, pool);
  return templates.flatMap(({ at, isUrl: mustBeUrl }) => {
    const path = [...pool, ...at];
    const template = draft.at(path);
    if (typeof template !== "string") return [];
    const names = placeholdersIn(template);
    if (names.length > mostPlaceholders) {
      return [{ path, on: "value", text: `holds more than ${mostPlaceholders} placeholders` }];
    }
    const faults = names.flatMap((name) => unknown(name, known));
    // The URL parser would leave it out, and something else be asked for than what is written.
    if (mustBeUrl && /[\s\p{Cc}]/u.test(template)) faults.push("holds white space, which no URL does");
    else if (mustBeUrl && !isUrl(template)) faults.push("is not a URL");
    return faults.map((text): Finding => ({ path, on: "value", text }));
  });
}

interface Known {
  everywhere: string[];
  /** The variables of each node itself, by its key. */
  perNode: Map<string, string[]>;
}

const keysAt = (draft: Draft, path: Path): string[] => draft.entries(path).map(({ key }) => key);

function knownIn(draft: Draft, pool: Path): Known {
  const nodes = draft.entries([...pool, "nodes"]);
  return {
    everywhere: [
      ...ownPlaceholders,
      ...(draft.texts([...pool, "needs"]) ?? []),
      ...keysAt(draft, [...pool, "vars"]),
    ],
    perNode: new Map(nodes.map(({ key, path }) => [key, keysAt(draft, [...path, "vars"])])),
  };
}

function unknown(name: string, { everywhere, perNode }: Known): string[] {
  if (everywhere.includes(name)) return [];
  const without = [...perNode].filter(([, vars]) => !vars.includes(name)).map(([node]) => node);
  if (perNode.size > 0 && without.length === 0) return [];
  if (without.length < perNode.size) {
    const others = without.length > 1 ? ` and ${without.length - 1} more` : "";
    return [`{${name}} is not known for ${without[0]}${others}; add it to their vars, or to the pool's`];
  }
  const meant = nearest(name, everywhere);
  const hint = meant
    ? `did you mean {${meant}}?`
    : `known: ${everywhere.map((word) => `{${word}}`).join(", ")}`;
  return [`{${name}} is not known here; ${hint}`];
}

/** With a digit in each place, which is right in a host as well as in a port. */
function isUrl(template: string): boolean {
  if (!/^https?:\/\//.test(template)) return true; // told by the schema
  const filled = fill(template, Object.fromEntries(placeholdersIn(template).map((name) => [name, "1"])));
  return URL.canParse(filled) && !/[{}]/.test(decodeURI(new URL(filled).host));
}

/**
 * What the schema can't see: names, and values that must fit each other. Looks at the draft, so that these
 * faults are told together with faults of shape.
 */
import { checkNodes } from "./check-nodes.ts";
import { checkPlaceholders } from "./check-placeholders.ts";
import type { Draft, Entry } from "./draft.ts";
import { badName, badVariable, namePattern, variablePattern } from "./names.ts";
import { nearest } from "./near.ts";
import type { Finding, Path } from "./problems.ts";

export const checks = (draft: Draft): Finding[] => [
  ...checkNames(draft.entries(["balancers"])),
  ...checkSockets(draft.entries(["balancers"])),
  ...checkNames(draft.entries(["pools"])),
  ...draft.entries(["pools"]).flatMap((pool) => checkPool(draft, pool)),
  ...checkNodes(draft),
];

const checkPool = (draft: Draft, { path }: Entry): Finding[] => [
  ...checkBalancers(draft, [...path, "balancers"]),
  ...checkVariables(draft.entries([...path, "vars"])),
  ...draft
    .entries([...path, "nodes"])
    .flatMap((node) => checkVariables(draft.entries([...node.path, "vars"]))),
  ...checkPlaceholders(draft, path),
];

const checkNames = (entries: Entry[]): Finding[] =>
  entries
    .filter(({ key }) => !namePattern.test(key))
    .map(({ key, path }) => ({ path, on: "key", text: badName(key) }));

const checkVariables = (entries: Entry[]): Finding[] =>
  entries
    .filter(({ key }) => !variablePattern.test(key))
    .map(({ key, path }) => ({ path, on: "key", text: badVariable(key) }));

/** One HAProxy under two names would be counted twice. */
function checkSockets(entries: Entry[]): Finding[] {
  const first = new Map<unknown, string>();
  return entries.flatMap(({ key, value, path }): Finding[] => {
    const other = first.get(value);
    if (other !== undefined && typeof value === "string") {
      return [{ path, on: "value", text: `is the socket of ${other} too` }];
    }
    first.set(value, key);
    return [];
  });
}

function checkBalancers(draft: Draft, path: Path): Finding[] {
  const known = draft.entries(["balancers"]).map(({ key }) => key);
  // Without any balancer, that is the fault to mend.
  if (known.length === 0) return [];
  const named = draft.at(path);
  if (!Array.isArray(named)) return [];
  return named.flatMap((name: unknown, i): Finding[] => {
    if (typeof name !== "string" || known.includes(name)) return [];
    const meant = nearest(name, known);
    const hint = meant ? `did you mean "${meant}"?` : `this file has ${known.join(", ")}`;
    return [{ path: [...path, i], on: "value", text: `unknown balancer "${name}"; ${hint}` }];
  });
}

/**
 * What the schema can't see: names, and values that must fit each other. Looks at the draft, so that these
 * faults are told together with faults of shape.
 */
import { normalize } from "node:path";
import { checkNodes } from "./check-nodes.ts";
import { checkPlaceholders } from "./check-placeholders.ts";
import type { Draft, Entry } from "./draft.ts";
import { checkWays } from "./check-ways.ts";
import type { Balancer } from "./fleet.ts";
import { badName, badVariable, cut, namePattern, variablePattern } from "./names.ts";
import { nearest } from "./near.ts";
import type { Finding, Path } from "./problems.ts";
import { parseAddress } from "./socket.ts";

export const checks = (draft: Draft): Finding[] => [
  ...checkNames(draft.entries(["balancers"])),
  ...checkSockets(draft.entries(["balancers"])),
  ...checkNames(draft.entries(["pools"])),
  ...draft.entries(["pools"]).flatMap((pool) => checkPool(draft, pool)),
  ...checkWays(draft),
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
  const first = new Map<string, string>();
  return entries.flatMap(({ key, value, path }): Finding[] => {
    const socket = typeof value === "string" ? parseAddress(value) : undefined;
    if (!socket) return []; // told by the schema
    const other = first.get(sameFor(socket));
    if (other !== undefined)
      return [
        { path, on: "value", text: `is the ${socket.kind === "http" ? "page" : "socket"} of ${other} too` },
      ];
    first.set(sameFor(socket), key);
    return [];
  });
}

/** The same for every way to write one socket. */
function sameFor(socket: Balancer["socket"]): string {
  if (socket.kind === "http") return new URL(socket.url).href;
  return socket.kind === "unix" ? normalize(socket.path) : `${socket.host.toLowerCase()} ${socket.port}`;
}

/** Of one list; each costs a search for what was meant. */
const mostTold = 10;

function checkBalancers(draft: Draft, path: Path): Finding[] {
  const known = new Set(draft.entries(["balancers"]).map(({ key }) => key));
  // Where it is empty, that is the fault to mend.
  if (known.size === 0 && draft.at(["balancers"]) !== undefined) return [];
  const named = draft.at(path);
  if (!Array.isArray(named)) return [];
  const strangers = named
    .map((name: unknown, i) => ({ name, i }))
    .filter(
      (one): one is { name: string; i: number } => typeof one.name === "string" && !known.has(one.name),
    );
  return strangers.slice(0, mostTold).map(({ name, i }): Finding => {
    const meant = nearest(name, known);
    const hint = meant ? `did you mean "${meant}"?` : `this file has ${[...known].join(", ") || "none"}`;
    return { path: [...path, i], on: "value", text: `unknown balancer "${cut(name)}"; ${hint}` };
  });
}

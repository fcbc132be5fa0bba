/**
 * What the schema can't see: names, and values that must fit each other. Looks at the draft, so that these
 * faults are told together with faults of shape.
 */
import { normalize } from "node:path";
import { checkNodes } from "./check-nodes.ts";
import { checkPlaceholders } from "./check-placeholders.ts";
import { checkRelease } from "./check-release.ts";
import { checkUwsgi } from "./check-uwsgi.ts";
import type { Draft, Entry } from "./draft.ts";
import { checkWays } from "./check-ways.ts";
import { badName, badVariable, cut, namePattern, variablePattern } from "./names.ts";
import { nearest } from "./near.ts";
import type { Finding, Path } from "./problems.ts";
import { type WrittenAddress, parseAddress } from "./socket.ts";

export const checks = (draft: Draft): Finding[] => [
  ...checkNames(draft.entries(["balancers"])),
  ...checkSockets(draft),
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
  ...checkRelease(draft, path),
  ...checkUwsgi(draft, [...path, "restart"]),
];

const checkNames = (entries: Entry[]): Finding[] =>
  entries
    .filter(({ key }) => !namePattern.test(key))
    .map(({ key, path }) => ({ path, on: "key", text: badName(key) }));

const checkVariables = (entries: Entry[]): Finding[] =>
  entries
    .filter(({ key }) => !variablePattern.test(key))
    .map(({ key, path }) => ({ path, on: "key", text: badVariable(key) }));

/** One HAProxy under two names would be counted twice; a socket is a worker's or the master's, never both. */
function checkSockets(draft: Draft): Finding[] {
  const port = draft.at(["ssh", "port"]);
  const first = new Map<string, string>();
  return draft.entries(["balancers"]).flatMap(({ key, value, path }) => {
    const bare = typeof value === "string";
    const paths = bare
      ? [path]
      : [
          [...path, "socket"],
          [...path, "master"],
        ];
    return paths.flatMap((at): Finding[] => {
      const text = draft.at(at);
      const socket = typeof text === "string" ? parseAddress(text) : undefined;
      if (!socket) return []; // told by the schema
      const same = sameFor(socket, typeof port === "number" ? port : 22);
      const other = first.get(same);
      if (other !== undefined)
        return [
          {
            path: at,
            on: "value",
            text: `is the ${socket.kind === "http" ? "page" : "socket"} of ${other} too`,
          },
        ];
      first.set(same, key);
      return [];
    });
  });
}

/** The same for every way to write one socket. */
function sameFor(socket: WrittenAddress, sshPort: number): string {
  if (socket.kind === "http") return new URL(socket.url).href;
  if (socket.kind === "unix") return normalize(socket.path);
  if (socket.kind === "tcp") return `${sameHost(socket.host)} ${socket.port}`;
  return `${sameHost(socket.host)} ${socket.port ?? sshPort} ${normalize(socket.path)}`;
}

/** An IPv6 address has many spellings (RFC 5952). */
function sameHost(host: string): string {
  const url = `http://[${host}]`;
  return host.includes(":") && URL.canParse(url) ? new URL(url).hostname : host.toLowerCase();
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

/** YAML → plain data that remembers where everything stands. */
import { LineCounter, parseDocument, type YAMLError } from "yaml";
import { messageOf } from "../base/errors.ts";
import { tooDeep } from "./depth.ts";
import { type Positions, positionsIn } from "./positions.ts";
import { type Problem, problemAt } from "./problems.ts";

export type Parsed =
  | { content: unknown; positions: Positions; problems: Problem[] }
  /** Not even YAML: nothing else can be said about it. */
  | { content: undefined; positions: undefined; problems: Problem[] };

/** A few shared blocks for a thousand nodes; an alias bomb multiplies far beyond. */
const maxAliasCount = 10_000;

export function parse(text: string): Parsed {
  const deep = tooDeep(text);
  if (deep !== undefined)
    return unreadable([problemAt({ line: deep, column: 1 }, [], "is nested too deeply")]);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    schema: "core", // also under a %YAML 1.1 directive
    stringKeys: true,
    uniqueKeys: false, // positionsIn says it with the first line, and in linear time
  });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) return unreadable(faults.map((fault) => problemOf(fault, lines)));
  if (document.contents === null) return unreadable([atTheTop("the file is empty")]);

  const positions = positionsIn(document, lines);
  if (positions.brokenAlias) return unreadable(positions.problems);
  try {
    return { content: document.toJS({ maxAliasCount }), positions, problems: positions.problems };
  } catch (thrown) {
    return unreadable([atTheTop(`the aliases can't be followed: ${messageOf(thrown)}`)]);
  }
}

const unreadable = (problems: Problem[]): Parsed => ({ content: undefined, positions: undefined, problems });

const atTheTop = (text: string): Problem => problemAt({ line: 1, column: 1 }, [], text);

function problemOf(fault: YAMLError, lines: LineCounter): Problem {
  const { line, col } = lines.linePos(fault.pos[0]);
  return problemAt({ line: Math.max(line, 1), column: Math.max(col, 1) }, [], said(fault));
}

function said({ code, message }: YAMLError): string {
  if (code === "TAB_AS_INDENT") return "a tab; indent with spaces";
  if (code === "MULTIPLE_DOCS") return "a second document begins here; an inventory is one";
  if (code === "NON_STRING_KEY") return "a key must be plain text";
  if (code === "TAG_RESOLVE_FAILED") return `tags are not read here (${message})`;
  return `not YAML: ${message}`;
}

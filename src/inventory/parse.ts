/** YAML → plain data that remembers where everything stands. */
import { type ErrorCode, LineCounter, parseDocument, type YAMLError } from "yaml";
import { tooDeep } from "./depth.ts";
import { type Positions, positionsIn } from "./positions.ts";
import { type Problem, problemAt } from "./problems.ts";

export type Parsed =
  | { content: unknown; positions: Positions; problems: Problem[] }
  /** Not even YAML: nothing else can be said about it. */
  | { content: undefined; positions: undefined; problems: Problem[] };

/** Ten for each of twenty thousand nodes. Aliases can make a short file stand for far more. */
const mostValues = 200_000;

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
  const faults = worthTelling([...document.errors, ...document.warnings]);
  if (faults.length > 0) return unreadable(faults.map((fault) => problemOf(fault, lines)));
  if (document.contents === null) return unreadable([atTheTop("the file is empty")]);

  const positions = positionsIn(document, lines);
  if (positions.brokenAlias) return unreadable(positions.problems);
  if (positions.size > mostValues) {
    return unreadable([
      atTheTop(`holds more than ${mostValues} values, each alias counted as what it stands for`),
    ]);
  }
  // Its own limit for aliases is a ratio, which a file of one large block and many aliases keeps.
  const content: unknown = document.toJS({ maxAliasCount: -1 });
  return { content, positions, problems: positions.problems };
}

const unreadable = (problems: Problem[]): Parsed => ({ content: undefined, positions: undefined, problems });

const atTheTop = (text: string): Problem => problemAt({ line: 1, column: 1 }, [], text);

/** Once the parser is lost, each further word is a fault to it: up to there, and no further. */
function worthTelling(faults: YAMLError[]): YAMLError[] {
  const inOrder = faults.toSorted((a, b) => a.pos[0] - b.pos[0]);
  const lost = inOrder.findIndex(({ code }) => !wellTold.has(code));
  return lost === -1 ? inOrder : inOrder.slice(0, lost + 1);
}

/** Faults after which the parser knows where it is. */
const wellTold = new Set<ErrorCode>([
  "TAB_AS_INDENT",
  "MULTIPLE_DOCS",
  "NON_STRING_KEY",
  "TAG_RESOLVE_FAILED",
]);

function problemOf(fault: YAMLError, lines: LineCounter): Problem {
  const { line, col } = lines.linePos(fault.pos[0]);
  return problemAt({ line: Math.max(line, 1), column: Math.max(col, 1) }, [], said(fault));
}

function said({ code, message }: YAMLError): string {
  if (code === "TAB_AS_INDENT") return "a tab; indent with spaces";
  if (code === "MULTIPLE_DOCS") return "a second document begins here; an inventory is one";
  if (code === "NON_STRING_KEY") return "a key must be plain text";
  if (code === "TAG_RESOLVE_FAILED") return `tags are not read here (${message})`;
  if (/^Unexpected flow-(map|seq)-start at node end/.test(message)) {
    return 'not YAML: inside { … } a text that holds "{" or "[" must be in quotes';
  }
  return `not YAML: ${message}`;
}

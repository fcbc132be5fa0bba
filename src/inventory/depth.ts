/**
 * A look before parsing. The YAML parser calls itself for each level; where that uses up the stack, V8 may end the
 * whole process instead of throwing (seen on Node 20 with a megabyte of "[").
 */
import { Lexer } from "yaml";

const mostBrackets = 100;
const mostMarks = 64;
const mostIndentation = 200;

/** What the lexer says before a text without quotes, and where brackets end that nothing closed. */
const [textFollows, bracketsEnd] = ["\u001f", "\u0018"];

/** The first line that is nested deeper than any inventory; undefined if there is none. */
export function tooDeep(text: string): number | undefined {
  const indented = text.split("\n").findIndex((line) => line.search(/[^ ]/) > mostIndentation);
  let [line, open, marks, before] = [1, 0, 0, ""];
  // Its tokens, as a bracket in a text or in a comment opens and closes nothing.
  for (const token of new Lexer().lex(text)) {
    if (before !== textFollows) {
      open = Math.max(0, open + levels(token));
      if (token === bracketsEnd) open = 0;
      // Each can be one more level without a new line.
      if (open === 0 && ["-", "?", ":"].includes(token)) marks += 1;
      if (open > mostBrackets || marks > mostMarks) break;
    }
    if (token.includes("\n")) {
      line += token.split("\n").length - 1;
      marks = 0;
    }
    before = token;
  }
  const found = [
    ...(indented < 0 ? [] : [indented + 1]),
    ...(open > mostBrackets || marks > mostMarks ? [line] : []),
  ];
  return found.length > 0 ? Math.min(...found) : undefined;
}

function levels(token: string): number {
  if (token === "[" || token === "{") return 1;
  return token === "]" || token === "}" ? -1 : 0;
}

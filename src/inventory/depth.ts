/**
 * A cheap look before parsing. The YAML parser calls itself for each level; where that uses up the stack, V8 may
 * end the whole process instead of throwing (seen on Node 20 with a megabyte of "[").
 */
const mostBrackets = 100;
const mostOnALine = 300;
const mostIndentation = 200;

/** The first line that is nested deeper than any inventory; undefined if there is none. */
export function tooDeep(text: string): number | undefined {
  let open = 0;
  for (const [i, line] of text.split(/\r\n?|\n/).entries()) {
    for (const [bracket] of line.matchAll(/[[\]{}]/g)) {
      open = Math.max(0, open + (bracket === "[" || bracket === "{" ? 1 : -1));
      // Also counts brackets in text and comments: a hundred that nothing closes are not to be expected.
      if (open > mostBrackets) return i + 1;
    }
    if (indentation(line) > mostIndentation || marksIn(line) > mostOnALine) return i + 1;
  }
  return undefined;
}

const indentation = (line: string): number => line.search(/\S/);

/** Each of "- ", "? ", "a: ", "&a", "*a" and "!a" can be one more level without a new line. */
const marksIn = (line: string): number => line.match(/[-?:]\s|[&*!]/g)?.length ?? 0;

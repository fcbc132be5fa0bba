/** The words of a host's line, as Python's `shlex.split(line, comments=True)` has them. */

type State = "between" | "word" | "escape" | "'" | '"';

/** The words; or what is wrong, as Python says it. */
export function wordsIn(line: string): string[] | { problem: string } {
  const words: string[] = [];
  let word = "";
  let isQuoted = false;
  let state: State = "between";
  let isBetweenQuotes = false;
  const end = (): void => {
    if (word !== "" || isQuoted) words.push(word);
    word = "";
    isQuoted = false;
    state = "between";
  };
  for (const c of line) {
    if (state === "escape") {
      // Between double quotes a backslash stands for itself, but before a quote or another backslash.
      if (isBetweenQuotes && c !== "\\" && c !== '"') word += "\\";
      word += c;
      state = isBetweenQuotes ? '"' : "word";
    } else if (state === "'" || state === '"') {
      if (c === state) state = "word";
      else if (state === '"' && c === "\\") {
        isBetweenQuotes = true;
        state = "escape";
      } else word += c;
    } else if (/[ \t\r\n]/.test(c)) end();
    else if (c === "#")
      break; // also in the middle of a word
    else if (c === "\\") {
      isBetweenQuotes = false;
      state = "escape";
    } else if (c === "'" || c === '"') {
      isQuoted = true;
      state = c;
    } else {
      word += c;
      state = "word";
    }
  }
  if (state === "escape") return { problem: "No escaped character" };
  if (state === "'" || state === '"') return { problem: "No closing quotation" };
  end();
  return words;
}

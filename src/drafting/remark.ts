import { printable } from "../base/quote.ts";
import { cut } from "../inventory/names.ts";

const longest = 400;

/** Text from anywhere as one line of a comment: nothing in it can end the line. */
export const remark = (text: string): string =>
  cut(printable(text.replace(/[\s\u0085\u2028\u2029]+/gu, " ")).trimEnd(), longest);

/** "a, b, c and 4 more" */
export const some = (words: string[], most = 8): string =>
  words.length <= most
    ? words.join(", ")
    : `${words.slice(0, most - 1).join(", ")} and ${words.length - most + 1} more`;

/**
 * One word of a POSIX shell (`/bin/sh`, POSIX.1-2017 §2.2.2), whatever is in the text.
 *
 * @throws RangeError for a NUL byte, which no shell word can hold.
 */
export function shellQuote(text: string): string {
  if (text.includes("\0")) throw new RangeError("a shell word can't hold a NUL byte");
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** One word as a person would type it: quoted only where it must be. */
export const typedWord = (word: string): string => (/^[\w./@:+=,%-]+$/.test(word) ? word : shellQuote(word));

/** What was given with --set, as a person reads it: it may hold anything. */
export const shownValues = (set: Record<string, string>): string[] =>
  Object.entries(set).map(([key, value]) => printable(`${key}=${value}`));

/** Text from elsewhere (an app, a host, a balancer) made safe to print: no control characters, no escapes. */
export const printable = (text: string): string =>
  // Most of what a large fleet says is plain, and is asked for often.
  plain.test(text)
    ? text
    : // C0 without tab, DEL, C1, and the marks that turn the direction of text (Unicode TR 36 §3.2).
      text.replace(
        // oxlint-disable-next-line no-control-regex
        /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
        (c) => (c === "\u001b" ? "" : "\ufffd"),
      );

const plain = /^[ -~]*$/;

/**
 * Cuts HAProxy's byte stream into answers. Each command of a line gets one answer: an empty line for "done", or text
 * that ends with an empty line (Management Guide §9.3). An interactive connection has a prompt after each answer (2.6,
 * 3.0), or after the last of a line (3.2); no answer begins with one.
 */
export interface Frames {
  /** The answers that are whole so far, without their final empty line. */
  whole: string[];
  /** What came after them: the beginning of the next answer. */
  rest: string;
}

export const prompt = "> ";

export function cutFrames(text: string, wanted: number): Frames {
  const whole: string[] = [];
  let from = 0;
  while (whole.length < wanted && from < text.length) {
    if (text.startsWith(prompt, from)) {
      from += prompt.length;
      continue;
    }
    if (text[from] === "\n") {
      whole.push("");
      from += 1;
      continue;
    }
    const end = text.indexOf("\n\n", from);
    if (end < 0) break;
    whole.push(text.slice(from, end));
    from = end + 2;
  }
  return { whole, rest: text.slice(from) };
}

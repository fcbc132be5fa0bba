/**
 * Cuts HAProxy's byte stream into answers. On a one-shot connection each command of a line gets one answer:
 * an empty line for "done", or text that ends with an empty line (Management Guide §9.3).
 */
export interface Frames {
  /** The answers that are whole so far, without their final empty line. */
  whole: string[];
  /** What came after them: the beginning of the next answer. */
  rest: string;
}

export function cutFrames(text: string, wanted: number): Frames {
  const whole: string[] = [];
  let from = 0;
  while (whole.length < wanted && from < text.length) {
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

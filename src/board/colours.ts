import type { createColors } from "picocolors";
import type { Paint } from "./board.ts";

/** The marks and words say it too: colour is never the only sign. */
export const colours =
  ({ green, red, cyan, dim }: ReturnType<typeof createColors>): Paint =>
  (tone, text) => {
    switch (tone) {
      case "good":
        return green(text);
      case "bad":
        return red(text);
      case "busy":
        return cyan(text);
      case "quiet":
        return dim(text);
      case "plain":
        return text;
    }
  };

import { StringDecoder } from "node:string_decoder";
import { printable } from "../base/quote.ts";

/** Characters of one line that are kept. A program that never ends its line must not fill our memory. */
export const longestLine = 4096;

export interface Lines {
  push: (chunk: Buffer) => void;
  /** Gives out a last line that has no newline; what is pushed afterwards is dropped. */
  end: () => void;
}

/** Cuts a stream of UTF-8 into printable lines, wherever the borders of its chunks fall. */
export function splitLines(onLine: (text: string) => void): Lines {
  const decoder = new StringDecoder("utf8");
  let line = "";
  let ended = false;

  const take = (text: string): void => {
    line = (line + text).slice(0, longestLine + 1); // one more shows that there was more
  };
  const give = (): void => {
    onLine(shown(line));
    line = "";
  };
  return {
    push(chunk) {
      if (ended) return;
      const [rest = "", ...others] = decoder.write(chunk).split("\n");
      take(rest);
      for (const other of others) {
        give();
        take(other);
      }
    },
    end() {
      if (ended) return;
      ended = true;
      take(decoder.end());
      if (line) give();
    },
  };
}

function shown(line: string): string {
  if (line.length <= longestLine) return printable(line.replace(/\r$/, ""));
  // Not between the two halves of one character.
  return `${printable(line.slice(0, longestLine - 1).replace(/[\ud800-\udbff]$/, ""))}…`;
}

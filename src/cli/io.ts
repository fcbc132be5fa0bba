/** A command's streams and surroundings: an argument, so that tests can be them. */
export interface Io {
  /** The result. */
  out(text: string): void;
  /** The progress, and what went wrong. */
  err(text: string): void;
  env: Record<string, string | undefined>;
  cwd: string;
  /** The terminal to paint on; absent when stderr is none. */
  terminal: NodeJS.WriteStream | undefined;
  /** The result goes to a terminal that may be coloured. */
  colourOut: boolean;
  /** Columns of the terminal that the result goes to; without end where it goes elsewhere. */
  width: number;
  /** A terminal to be asked on; absent when stdin is none. */
  keyboard: NodeJS.ReadStream | undefined;
  /** Where the question goes: seen also where stderr is piped to something that shows it. */
  questions: NodeJS.WritableStream;
}

export function processIo(): Io {
  // A reader that went away (a closed terminal, `| head`) must not end a run in the middle of a node.
  process.stdout.on("error", () => undefined);
  process.stderr.on("error", () => undefined);
  return {
    out: (text) => process.stdout.write(`${text}\n`),
    err: (text) => process.stderr.write(`${text}\n`),
    env: process.env,
    cwd: process.cwd(),
    terminal: process.stderr.isTTY && process.env["TERM"] !== "dumb" ? process.stderr : undefined,
    colourOut: process.stdout.isTTY && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb",
    width: (process.stdout.isTTY && process.stdout.columns) || Infinity,
    keyboard: process.stdin.isTTY ? process.stdin : undefined,
    questions: process.stderr,
  };
}

export const wantsColour = ({ env, terminal }: Io): boolean => terminal !== undefined && !env["NO_COLOR"];

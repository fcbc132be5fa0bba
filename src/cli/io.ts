/** A command's streams and surroundings: an argument, so that tests can be them. */
export interface Io {
  /** The result. */
  out(text: string): void;
  /** The progress, and what went wrong. */
  err(text: string): void;
  /** Whoever read the result has gone. */
  outGone(): boolean;
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
  const { stdout, stderr, stdin } = process;
  // A reader that went away (a closed terminal, `| head`) must not end a run in the middle of a node.
  let outGone = false;
  stdout.on("error", () => (outGone = true));
  stderr.on("error", () => undefined);
  return {
    out: (text) => stdout.write(`${text}\n`),
    err: (text) => stderr.write(`${text}\n`),
    outGone: () => outGone,
    env: process.env,
    cwd: process.cwd(),
    terminal: isTerminal(stderr) && process.env["TERM"] !== "dumb" ? stderr : undefined,
    colourOut: isTerminal(stdout) && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb",
    width: (isTerminal(stdout) && stdout.columns) || Infinity,
    keyboard: isTerminal(stdin) ? stdin : undefined,
    questions: stderr,
  };
}

// A pipe's `isTTY` is not false but missing, whatever its type says; and picocolors takes a missing answer for
// "decide yourself", which colours everything where CI is set.
const isTerminal = (stream: { isTTY?: boolean }): boolean => stream.isTTY === true;

export const wantsColour = ({ env, terminal }: Io): boolean => terminal !== undefined && !env["NO_COLOR"];

import { RotaError } from "../base/errors.ts";
import { hooks, isHook, textOf } from "../restart/node-files.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";

/** Prints a file that a node needs, or which there are. */
export function printHook(name: string | undefined, io: Io): ExitCode {
  if (name !== undefined && !isHook(name)) {
    throw new RotaError("USAGE", {
      problem: `there is no hook ${name}, only ${Object.keys(hooks).join(", ")}`,
      left: "nothing was touched",
      next: "rota hooks",
    });
  }
  io.out(name === undefined ? list() : textOf(name).trimEnd());
  return Exit.ok;
}

function list(): string {
  const width = Math.max(...Object.keys(hooks).map((name) => name.length));
  return Object.entries(hooks)
    .map(([name, { what }]) => `${name.padEnd(width)}  ${what}`)
    .join("\n");
}

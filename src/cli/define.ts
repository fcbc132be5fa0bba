/** What the definitions of commands have in common. */
import type { Command } from "@commander-js/extra-typings";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";

/** Defines a command that works on an inventory. */
export const commandsOf =
  (rota: Command) =>
  <const Usage extends string>(usage: Usage, description: string) =>
    rota
      .command(usage)
      .description(description)
      .option(
        "-i, --inventory <file>",
        "the inventory; else $ROTA_INVENTORY, else the only inventories/*.yml",
      )
      .helpOption("-h, --help", "print this help");

export type DefineCommand = ReturnType<typeof commandsOf>;

/** Told with what a command came to. */
export type Ends = (code: ExitCode) => void;

/** For options that are given once more for each value. */
export const collect = (word: string, before: string[]): string[] => [...before, word];

export const graceHelp =
  "after a signal: stop at the next safe point once so long is over, such as 8s; for CI systems that kill soon";
export const tolerateHelp =
  "go on without this balancer, known to be gone, if it does not answer; again for more";
export const waitHelp =
  "where somebody else changes the fleet: wait so long for them, such as 10m, instead of ending at once";

export function examples(...lines: [command: string, what: string][]): string {
  const width = Math.max(...lines.map(([line]) => line.length));
  return `\nExamples:\n${lines.map(([line, what]) => `  ${line.padEnd(width)}  ${what}`).join("\n")}`;
}

/** A run that stopped on a terminal asks what is to be done now. */
export async function asking(
  code: ExitCode,
  options: { inventory?: string | undefined; yes?: boolean | undefined; json?: boolean | undefined },
  io: Io,
): Promise<ExitCode> {
  if (code !== Exit.failed || !io.keyboard) return code;
  return (await import("./after-stop.ts")).askAfterStop(code, options, io);
}

/** What `init` and `import` have in common: the fleet's name, and where the inventory goes. */
import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, resolve } from "node:path";
import { messageOf, RotaError } from "../base/errors.ts";
import { printable } from "../base/quote.ts";
import { count } from "../board/width.ts";
import { fillIn } from "../drafting/fill-in.ts";
import type { Sketch } from "../drafting/sketch.ts";
import { write } from "../drafting/write.ts";
import { thisMachine } from "../inventory/here.ts";
import { readInventory } from "../inventory/load.ts";
import { badName, namePattern } from "../inventory/names.ts";
import { planOf } from "../inventory/problems.ts";
import type { Io } from "./io.ts";
import { untouched } from "./refuse.ts";

export interface DraftArgs {
  fleet?: string | undefined;
  output?: string | undefined;
}

/** @throws RotaError USAGE */
export function fleetName({ fleet }: DraftArgs, { cwd }: Io): string {
  if (fleet !== undefined && !namePattern.test(fleet)) {
    throw new RotaError("USAGE", {
      problem: `--fleet: ${badName(fleet)}`,
      left: untouched,
      next: "--fleet shop",
    });
  }
  return fleet ?? [basename(cwd), hostname()].find((name) => namePattern.test(name)) ?? "fleet";
}

/** Prints it, or writes it into a new file. @throws RotaError USAGE */
export function give(sketch: Sketch, { output }: DraftArgs, io: Io): void {
  const text = write(sketch);
  // Read as every command will read it, so that what is given is one.
  const { pools } = readInventory(text, output ?? "the inventory", thisMachine(io.cwd));
  if (output === undefined) io.out(text.trimEnd());
  else writeNew(output, text, io);
  const nodes = pools.reduce((sum, pool) => sum + pool.nodes.length, 0);
  const problems = text.split("PROBLEM").length - 1;
  io.err(
    `${count(pools.length, "pool")}, ${count(nodes, "node")}: look for ${fillIn}${problems > 0 ? `, and for PROBLEM (${problems})` : ""}; then: ${planOf(output ?? "FILE")}`,
  );
}

function writeNew(file: string, text: string, { cwd }: Io): void {
  try {
    writeFileSync(resolve(cwd, file), text, { flag: "wx", mode: 0o644 });
  } catch (cause) {
    const exists = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    throw new RotaError("USAGE", {
      problem: `-o ${printable(file)}: ${exists ? "exists already" : printable(messageOf(cause))}`,
      left: "nothing was written",
      next: "-o with the path of a new file",
      cause,
    });
  }
}

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { RotaError } from "../base/errors.ts";
import { printable, typedWord } from "../base/quote.ts";

export interface Where {
  /** What `-i` says. */
  given: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
}

/**
 * The inventory that is meant: `-i`, else $ROTA_INVENTORY, else the only `*.yml` in `inventories/`.
 * Relative to `cwd`, as a person would write it.
 *
 * @throws RotaError USAGE where that is not exactly one.
 */
export function findInventory({ given, env, cwd }: Where): string {
  if (given === "") throw nothingGiven();
  if (given !== undefined) return given;
  if (env.ROTA_INVENTORY) return env.ROTA_INVENTORY;
  const found = inventoriesIn(cwd);
  const [only, another] = found;
  if (only === undefined) throw noneFound();
  if (another !== undefined) throw severalFound(found, only);
  return only;
}

function inventoriesIn(cwd: string): string[] {
  return entriesOf(join(cwd, "inventories"))
    .filter((name) => name.endsWith(".yml") && !name.startsWith("."))
    .toSorted()
    .map((name) => `inventories/${name}`);
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // no folder, or none that we may read: nothing there can be meant
  }
}

/** As of `-i "$FILE"` with an empty $FILE: any other inventory could be the wrong fleet. */
const nothingGiven = (): RotaError =>
  new RotaError("USAGE", {
    problem: "which inventory? -i is followed by nothing",
    next: "the same with -i FILE, the path of an inventory",
  });

const noneFound = (): RotaError =>
  new RotaError("USAGE", {
    problem: "which inventory? no -i, no $ROTA_INVENTORY, and no inventories/*.yml in this folder",
    next: "the same with -i FILE, the path of an inventory; rota init --socket ADDRESS makes a first one",
  });

const severalFound = (found: string[], first: string): RotaError =>
  new RotaError("USAGE", {
    problem: `which inventory? there are ${found.length}:\n${found.map((file) => `  ${printable(file)}`).join("\n")}`,
    next: `the same with -i ${asTyped(first)}, or after export ROTA_INVENTORY=${asTyped(first)}`,
  });

const asTyped = (file: string): string => printable(typedWord(file));

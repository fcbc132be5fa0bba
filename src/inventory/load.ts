import { checks } from "./checks.ts";
import { draftOf } from "./draft.ts";
import { readText } from "./file.ts";
import type { Fleet } from "./fleet.ts";
import { type Here, thisMachine } from "./here.ts";
import { parse } from "./parse.ts";
import { type Finding, notRight, type Problem, problemAt } from "./problems.ts";
import type { Positions } from "./positions.ts";
import { resolve } from "./resolve.ts";
import type { Inventory } from "./schema.ts";
import { shape } from "./shape.ts";

/**
 * Reads an inventory file, checks it whole and resolves it.
 *
 * @param path As the person gave it; a relative one starts at `here.folder`.
 * @throws RotaError INVENTORY with every problem of the file, each with line and column.
 */
export const loadInventory = (path: string, here: Here = thisMachine()): Fleet =>
  readInventory(readText(path, here.folder), path, here);

/** The same for text that is already read; touches no file. */
export function readInventory(text: string, path: string, here: Here = thisMachine()): Fleet {
  const { content, positions, problems } = parse(text);
  if (!positions) throw notRight(path, problems);

  const { inventory, findings } = shape(content);
  const all = [...findings, ...checks(draftOf(content, positions)), ...checkUser(inventory, here)];
  const everything = [...problems, ...all.map((finding) => problemOf(finding, positions))];
  if (!inventory || everything.length > 0) throw notRight(path, everything);
  return resolve(inventory, { file: path, here, positions });
}

const problemOf = (finding: Finding, positions: Positions): Problem =>
  problemAt(positions.placeOf(finding), whereOf(finding), finding.text);

/** An unknown key is told of the map it stands in: "pools.web.check: unknown key …". */
const whereOf = ({ path, on, text }: Finding) =>
  on === "key" && text.startsWith("unknown key") ? path.slice(0, -1) : path;

const checkUser = (inventory: Inventory | undefined, here: Here): Finding[] =>
  inventory && !inventory.ssh.user && !here.user
    ? [{ path: ["ssh", "user"], on: "key", text: "is missing, and this machine has no name for you" }]
    : [];

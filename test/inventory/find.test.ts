import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findInventory } from "../../src/inventory/find.ts";
import { errorOf } from "./files.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "rota-find-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A folder whose `inventories/` holds these. */
async function folder(name: string, ...files: string[]): Promise<string> {
  const at = join(root, name);
  await mkdir(join(at, "inventories"), { recursive: true });
  for (const file of files) await writeFile(join(at, "inventories", file), "");
  return at;
}

const find = (cwd: string, given?: string, env: Record<string, string> = {}): string =>
  findInventory({ given, env, cwd });

test("the only inventory is meant; what is no inventory doesn't count", async () => {
  const cwd = await folder("one", "shop.yml", "schema.json", ".hidden.yml", "shop.yml.bak", "README.md");
  expect(find(cwd)).toBe("inventories/shop.yml");
});

test("-i wins over $ROTA_INVENTORY, and that over the only one", async () => {
  const cwd = await folder("three", "shop.yml");
  expect(find(cwd, "given.yml", { ROTA_INVENTORY: "env.yml" })).toBe("given.yml");
  expect(find(cwd, undefined, { ROTA_INVENTORY: "env.yml" })).toBe("env.yml");
  expect(find(cwd, undefined, { ROTA_INVENTORY: "" })).toBe("inventories/shop.yml");
});

test("of several none is guessed, and each is shown", async () => {
  const cwd = await folder("two", "staging.yml", "my shop.yml");
  const error = errorOf(() => find(cwd));
  expect(error.code).toBe("USAGE");
  expect(error.message).toBe(
    "which inventory? there are 2:\n  inventories/my shop.yml\n  inventories/staging.yml",
  );
  expect(error.next).toBe(
    "the same with -i 'inventories/my shop.yml', or after export ROTA_INVENTORY='inventories/my shop.yml'",
  );
});

test("none at all is told, whether the folder is empty, missing or a file", async () => {
  const file = await folder("file");
  await rm(join(file, "inventories"), { recursive: true });
  const missing = errorOf(() => find(file));
  await writeFile(join(file, "inventories"), "");
  for (const error of [missing, errorOf(() => find(file)), errorOf(() => find(join(root, "nowhere")))]) {
    expect(error.code).toBe("USAGE");
    expect(error.message).toContain("which inventory? no -i, no $ROTA_INVENTORY, and no inventories/*.yml");
  }
});

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readInventory } from "../../src/inventory/load.ts";

test("the inventory that the README shows is one", () => {
  const readme = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");
  const [, yaml = ""] = /```yaml\n([\s\S]*?)```/.exec(readme) ?? [];
  const fleet = readInventory(yaml, "shop.yml");
  expect(fleet.pools[0]?.nodes.map(({ name }) => name)).toEqual([
    "web1",
    "web2",
    "web3",
    "web4",
    "web5",
    "web6",
  ]);
});

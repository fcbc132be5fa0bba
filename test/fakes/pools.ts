import { readFile, writeFile } from "node:fs/promises";
import { parse, stringify } from "yaml";
import type { FakeSite, Overrides } from "./site.ts";

/** web1 and web2 in the pool `web`, the others in `api`: in the same backend. */
export async function split(site: FakeSite): Promise<void> {
  const inventory: { pools: Record<string, { nodes: Overrides }> } = parse(
    await readFile(site.inventory, "utf8"),
  );
  const { web } = inventory.pools;
  if (!web) throw new Error("the site has no pool web");
  const { web1, web2, ...others } = web.nodes;
  inventory.pools = { web: { ...web, nodes: { web1, web2 } }, api: { ...web, nodes: others } };
  await writeFile(site.inventory, stringify(inventory));
}

import { RotaError } from "../../src/base/errors.ts";
import type { Fleet } from "../../src/inventory/fleet.ts";
import type { Here } from "../../src/inventory/here.ts";
import { readInventory } from "../../src/inventory/load.ts";

export const here: Here = { user: "ada", home: "/home/ada", folder: "/fleet" };

/** The first lines of an inventory that is right; what a test adds begins on line 3. */
export const top = "fleet: shop\nbalancers: { lb1: unix:/run/lb1.sock, lb2: tcp://10.0.0.2:9999 }\n";

/** Two lines in a pool that are right. */
export const rest =
  "    restart: { via: command, run: ./restart }\n    check: { url: 'http://{host}:8000/_status' }\n";

/** An inventory with one pool `web`; its `nodes:` are on line 5, what is in `pool` after them. */
export const withNodes = (nodes: string, pool = ""): string =>
  `${top}pools:\n  web:\n    nodes: ${nodes}\n${pool}${rest}`;

/** The same with two nodes; `pool` begins on line 6. */
export const withPool = (pool: string): string => withNodes("{ web1: 10.0.1.1, web2: 10.0.1.2 }", pool);

export const fleetOf = (text: string): Fleet => readInventory(text, "inventories/shop.yml", here);

export function errorOf(act: () => unknown): RotaError {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof RotaError) return thrown;
    throw thrown;
  }
  throw new Error("nothing was thrown");
}

/** Every fault of a file, as "line:column where: what". */
export const faultsIn = (text: string): string[] =>
  errorOf(() => readInventory(text, "f", here))
    .message.split("\n")
    .slice(1)
    .map((line) => line.replace(/^ {2}f:(\d+:\d+) +/, "$1 "));

/** That the plan of a large fleet costs by the node, and not by the node and by the fleet. */
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { readInventory } from "../../src/inventory/load.ts";
import { partOf } from "../../src/rotation/plan/participation.ts";
import { makePlan, tripsOf } from "../../src/rotation/plan/plan.ts";
import type { Entry } from "../../src/rotation/ports.ts";

const here = { folder: "/", user: "ada", home: "/home/ada" };

const entry = (server: string, more: Partial<Entry>): Entry => ({
  balancer: "lb1",
  backend: "app",
  server,
  admin: "ready",
  weight: 1,
  initialWeight: 1,
  outBecause: undefined,
  status: "UP",
  lastCheck: "",
  sessions: 0,
  traffic: { perSecond: 0, errors: 0 },
  backup: false,
  checked: true,
  tracks: undefined,
  address: undefined,
  agent: undefined,
  ...more,
});

/** Of so many nodes in one backend, each tracked by a server of another. @returns how often a server was looked at */
function looksFor(nodes: number, batch: number | string): number {
  const names = Array.from({ length: nodes }, (_, i) => `web${i + 1}`);
  const fleet = readInventory(
    stringify({
      fleet: "large",
      balancers: { lb1: "unix:/lb1.sock" },
      pools: {
        web: {
          backends: ["app"],
          nodes: Object.fromEntries(names.map((name) => [name, `${name}.example.net`])),
          restart: { via: "command", run: "true" },
          check: { url: "http://{host}/" },
          rollout: { batch, min_serving: "50%" },
        },
      },
    }),
    "large.yml",
    here,
  );
  let looks = 0;
  const counted = (one: Entry): Entry =>
    new Proxy(one, {
      get(target, name) {
        looks += 1;
        return Reflect.get(target, name);
      },
    });
  const entries = names
    .flatMap((name) => [
      entry(name, {}),
      entry(`${name}-admin`, { backend: "admin", tracks: `app/${name}`, checked: false }),
    ])
    .map(counted);
  const backends = ["app", "admin"].map((backend) => ({
    balancer: "lb1",
    backend,
    servers: nodes,
    serving: nodes,
    backups: 0,
    weight: undefined,
    absent: [],
  }));
  const plan = makePlan(fleet, { entries, backends, unread: [] }, new Map(), {
    nodes: fleet.pools.flatMap((pool) => pool.nodes),
    part: (_, own, absence) => partOf(own, absence, { named: false, includeDown: false, includeHeld: false }),
    errand: { upgrade: true, hostNeeded: true, hold: undefined },
    force: false,
    variablesOf: () => ({ variables: {}, secrets: [] }),
  });
  expect(tripsOf(plan)).toHaveLength(nodes);
  expect(plan.pools[0]?.batches[0]?.capacity).toMatchObject([
    { backend: "app", servers: nodes },
    { backend: "admin", servers: nodes },
  ]);
  return looks;
}

test.each([1, 10, "10%", "50%"])(
  "in batches of %s, a plan of twice as many nodes looks twice as often",
  (batch) => {
    expect(looksFor(400, batch)).toBeLessThan(2.2 * looksFor(200, batch));
  },
);

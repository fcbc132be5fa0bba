/** The commands of a pool that change something, and those beside them. */
import { expect, test } from "vitest";
import { faultsIn, fleetOf, withPool } from "./files.ts";

test("rollback and once are written like upgrade: alone, or with what a resume may do", () => {
  const [pool] = fleetOf(
    withPool(
      '    rollback: ./back "$PREVIOUS"\n    once: { run: ./migrate, repeat: no, done_if: ./migrated }\n',
    ),
  ).pools;
  expect(pool?.rollback).toEqual({ run: './back "$PREVIOUS"', repeat: "ask", doneIf: undefined });
  expect(pool?.once).toEqual({ run: "./migrate", repeat: "no", doneIf: "./migrated" });
  expect(pool?.upgrade).toBeUndefined();
  expect(pool?.rollout.onFailure).toBe("stop");
});

test("hooks are the fleet's and the pool's, here or on the node", () => {
  const pool =
    "    hooks: { before_batch: { here: ./a }, before_node: { run: ./b }, after_node: { here: ./c } }\n";
  const fleet = fleetOf(`hooks: { after_deploy: { here: ./d } }\n${withPool(pool)}`);
  expect(fleet.hooks).toEqual({ beforeDeploy: undefined, afterDeploy: { here: "./d" } });
  expect(fleet.pools[0]?.hooks).toEqual({
    beforeBatch: { here: "./a" },
    afterBatch: undefined,
    beforeNode: { run: "./b" },
    afterNode: { here: "./c" },
  });
});

test.each([
  ["a hook without a place", withPool("    hooks: { before_node: ./a }\n")],
  ["a batch hook on a node", withPool("    hooks: { before_batch: { run: ./a } }\n")],
  ["a deploy hook in a pool", withPool("    hooks: { before_deploy: { here: ./a } }\n")],
  ["an empty command", withPool("    once: ''\n")],
  ["another way to go on", withPool("    rollout: { on_failure: retry }\n")],
  [
    "a node hook of the fleet",
    `hooks: { before_node: { here: ./a } }
${withPool("")}`,
  ],
])("%s is refused, with its place", (_, text) => {
  expect(faultsIn(text).join("\n")).toMatch(/^\d+:\d+ .*(hooks|once|rollout|pools)/m);
});

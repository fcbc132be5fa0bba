/** The commands of a pool that change something, and those that are run beside them. */
import * as z from "zod";
import { filled } from "./schema-parts.ts";

/** A command, alone or with what a resume may do where nobody knows how it ended. */
const repeatable = (run: typeof filled, example: string) =>
  z.union(
    [
      run,
      z.strictObject({
        run,
        repeat: z
          .enum(["ask", "yes", "no"])
          .default("ask")
          .describe("Whether a resume may run it again where nobody knows how it ended."),
        done_if: filled
          .optional()
          .describe(
            "A command that changes nothing, and ends with 0 where this is done: asked by a resume that does not know. What was cut off may still be running.",
          ),
      }),
    ],
    { error: `write a command, or { run: ./${example}, repeat: yes }` },
  );

const whileOut = filled.describe("Run on the node while it is out, as /bin/sh -eu.");

export const upgrade = repeatable(whileOut, "switch-release").describe(
  "What is done on the node while it is out, before the restart: a command.",
);

export const rollback = repeatable(whileOut, "switch-release").describe(
  "What `rota rollback` runs on the node instead of `upgrade`, before the restart. Variables are those of the node's last good run, and PREVIOUS is RELEASE of it. Also for a node whose workers can't run the new release (docs/gunicorn.md). Absent: prepare and upgrade with these variables.",
);

export const once = repeatable(
  filled.describe("Run as /bin/sh -eu, on the first node of the pool that is deployed."),
  "migrate",
).describe(
  "Run on one node of the pool only, after `prepare` and before the first leaves, while all serve: migrations. Never again in a resume of the same run. Not for a rollback.",
);

const here = z.strictObject({
  here: filled.describe(
    "Run as /bin/sh -eu on the machine that rota runs on, in the folder of the inventory, with rota's own environment and the variables.",
  ),
});

const hereOrThere = z.union(
  [here, z.strictObject({ run: filled.describe("Run as /bin/sh -eu on the node.") })],
  { error: "write { here: ./announce }, or { run: ./announce } for the node itself" },
);

const hereOnly = here.describe("A command on the machine that rota runs on.");

/** Of the fleet. */
export const deployHooks = z.strictObject({
  before_deploy: hereOnly
    .optional()
    .describe(
      "Before anything is touched. One that fails ends the deploy there; in a rollback it is only told.",
    ),
  after_deploy: hereOnly
    .optional()
    .describe("When all is over, however it ended: ROTA_OUTCOME is done, failed or interrupted."),
});

/** Of a pool. */
export const poolHooks = z.strictObject({
  before_batch: hereOnly
    .optional()
    .describe(
      "Before a batch leaves (ROTA_NODES). One that fails stops the rollout there. With rollout.pipeline the batch before is still watched then: this comes before its after_batch.",
    ),
  after_batch: hereOnly
    .optional()
    .describe("When a batch has ended (ROTA_OUTCOME). One that fails stops the rollout there."),
  before_node: hereOrThere
    .optional()
    .describe("Before a node leaves. One that fails is a failed node, which is not touched."),
  after_node: hereOrThere
    .optional()
    .describe(
      "When a node's trip has ended (ROTA_OUTCOME). One that fails where the node is back makes it a failed node, which stays in rotation.",
    ),
});

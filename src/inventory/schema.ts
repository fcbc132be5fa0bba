/**
 * What an inventory may say. One source for three things: the checking of a file, the editor's help
 * (`inventories/schema.json`) and the types that `resolve.ts` reads. Checks that look at more than one
 * value at a time are in `checks.ts`; how a problem is worded is in `wording.ts`.
 */
import * as z from "zod";
import { badVariable, shown, variablePattern } from "./names.ts";
import {
  duration,
  durationOrNone,
  environmentName,
  filled,
  filledMap,
  name,
  nameKey,
  names,
  notEmpty,
  passable,
  ramp,
  share,
  shares,
  variableName,
} from "./schema-parts.ts";
import { deployHooks, once, poolHooks, rollback, upgrade } from "./schema-commands.ts";
import { balancer, nodeSsh, ssh } from "./schema-access.ts";
import { notices } from "./schema-notices.ts";
import { statusPage } from "./schema-page.ts";
import { release } from "./schema-release.ts";
import { restart } from "./schema-restart.ts";

const fromEnvironment = z
  .strictObject({
    env: environmentName,
    secret: z.boolean().default(false).describe("true: never shown and never stored."),
  })
  .describe("A value that is not in the file.");

const vars = z.record(
  variableName,
  z.union([passable, z.number(), z.boolean(), fromEnvironment], {
    error: "write a text, a number, true, false, or { env: NAME, secret: true }",
  }),
);

const host = filled.describe("Address or host name, for SSH and for the check. A range: 10.0.1.[13:16].");

const node = z.union(
  [
    host,
    z.strictObject({
      host,
      server: name.optional().describe("The node's name in HAProxy. Absent: the node's own name."),
      ssh: nodeSsh.optional().describe("What is different for this node."),
      vars: vars.default({}).describe("Variables of this node; they win over the pool's."),
    }),
  ],
  { error: "has no address; write 10.0.1.1, or { host: 10.0.1.1 }" },
);

const drain = z.strictObject({
  via: z
    .enum(["runtime", "status-page", "none"])
    .default("runtime")
    .describe(
      "How the node leaves: by HAProxy's runtime socket, or by its own page, which then fails HAProxy's checks. none: not at all; for a restart that keeps serving (workers of gunicorn or uWSGI, one by one). One that fails goes back to its old release, alone (docs/gunicorn.md), or is taken out, where balancers are given and it can be spared.",
    ),
  within: duration.default("60s").describe("How long sessions may take to end."),
  at_limit: z
    .enum(["stop", "cut", "go-on"])
    .default("stop")
    .describe(
      "When sessions are left at the limit. stop: the node goes back as found and the rollout stops; cut: they are ended by HAProxy; go-on: the node is worked on, and they end as the app ends them. cut and go-on say how many, and who.",
    ),
});

const check = z.strictObject({
  url: z
    .string()
    .regex(/^https?:\/\//, {
      error: ({ input }) => `${shown(input)} does not begin with http:// or https://`,
    })
    .describe("{host}, {node}, {server}, the names in `needs` and the node's vars are filled in.")
    .meta({ examples: ["http://{host}:8000/_status"] }),
  status: z.int().min(100).max(599).default(200).describe("The HTTP status that it must answer with."),
  body: filled.optional().describe("Text that must occur in the answer. Filled in like url."),
  times: z.int().min(1).default(2).describe("Good answers in a row."),
  within: duration.default("90s").describe("How long the node may take to become well."),
  while_out: z
    .int()
    .min(400)
    .max(599)
    .default(404)
    .describe("drain.via: status-page: the HTTP status that the page answers with while it is held out."),
});

const ready = z.strictObject({
  proof: z
    .enum(["pass", "rise", "check"])
    .default("pass")
    .describe(
      "pass: one fresh passing check on every balancer; rise: as many as its `rise`; check: the node's own alone.",
    ),
  ramp: ramp
    .optional()
    .describe(
      "Once proven, the node comes back with these percents of the weight that it was found with, one after the other, and then with all of it: [25%, 50%]. For servers whose weight is more than 1.",
    ),
  every: duration.default("10s").describe("How long each step of the ramp lasts."),
});

const rollout = z.strictObject({
  canary: share(0)
    .default(0)
    .describe("Nodes that go first, alone: a count, or a percent of the pool. Then come the batches."),
  batch: shares(1)
    .default(1)
    .describe(
      "Nodes out at once: a count, or a percent of the pool (rounded down); or a list, whose last entry repeats.",
    ),
  min_serving: share(0)
    .default("50%")
    .describe(
      "Servers that must serve in each backend: a count, or a percent (rounded up), which is meant of their weight too where weights differ. 0 for a single node.",
    ),
  max_failures: z
    .int()
    .min(0)
    .default(0)
    .describe("Nodes of the pool that may fail before the rollout stops."),
  soak: durationOrNone
    .default("0s")
    .describe(
      "How long each batch is watched under traffic once it is back, beside nodes that were not upgraded yet. Worse: the rollout stops.",
    ),
  pipeline: z
    .boolean()
    .default(false)
    .describe(
      "true: while a batch soaks, the next one leaves rotation already, and is changed only once that soak has ended well; else it goes back as found. A canary is watched first. Needs a soak.",
    ),
  inconclusive: z
    .enum(["stop", "go-on"])
    .default("stop")
    .describe(
      "When a soak saw too few requests to tell (fewer than 100 of a node, as a rule). stop: on a terminal you are asked first.",
    ),
  on_failure: z
    .enum(["stop", "rollback"])
    .default("stop")
    .describe(
      "When the rollout stops because the release failed on a node, or soaked worse. rollback: what the run upgraded is put back to what it ran before, at once.",
    ),
});

const limits = z.strictObject({
  connect: duration.default("10s").describe("Opening an SSH connection."),
  command: duration.default("10m").describe("One command on a node."),
  ready: duration.default("60s").describe("HAProxy's own checks passing again."),
  capacity: duration.default("10m").describe("Waiting until enough servers serve for the next batch."),
});

/** A name, or a range of them. Only for editors: `checks.ts` can say what is wrong. */
export const nodeKeyPattern = /^[A-Za-z0-9._:[\]-]+$/;

const pool = z.strictObject({
  balancers: names(name).optional().describe("The balancers that serve this pool. Absent: all of them."),
  backends: names(name).optional().describe("HAProxy backends. Absent: every backend that has the server."),
  nodes: z
    .record(z.string().meta({ pattern: nodeKeyPattern.source }), node)
    .refine(filledMap, notEmpty)
    .meta({ minProperties: 1 })
    .describe("Name and address, in the order of the rollout. A range: web[3:6]: 10.0.1.[13:16]."),
  needs: z
    .array(z.string().regex(variablePattern, { error: ({ input }) => badVariable(input) }))
    .default([])
    .describe("Variables that a deploy must be given with --set."),
  vars: vars.default({}).describe("Variables for commands (as environment), check.url and check.body."),
  drain: drain.prefault({}).describe("How a node stops getting requests."),
  prepare: filled
    .optional()
    .describe(
      "Run on every node that takes part in a deploy, before the first leaves and while all serve, as /bin/sh -eu. A resume may run it again.",
    ),
  release: release.optional(),
  status_page: statusPage.optional(),
  once: once.optional(),
  upgrade: upgrade.optional(),
  rollback: rollback.optional(),
  hooks: poolHooks
    .prefault({})
    .describe(
      "Commands before and after a batch and a node, in deploys and rollbacks. Variables: --set, ROTA_RUN, ROTA_FLEET, ROTA_COMMAND, ROTA_POOL, ROTA_NODES; for a node also its vars and ROTA_NODE.",
    ),
  restart: restart.describe("How the app is restarted, and what proves that it was."),
  check: check.describe("What a node itself must answer before it takes traffic again."),
  ready: ready.prefault({}).describe("What HAProxy must find before a node takes traffic again."),
  rollout: rollout.prefault({}).describe("How many nodes at once, and what must not happen."),
  limits: limits.prefault({}).describe("How long the rest may take."),
});

export const inventorySchema = z
  .strictObject({
    fleet: name.describe("The name of the fleet: what the journal files its runs under."),
    journal: z
      .literal("shared")
      .optional()
      .describe(
        "shared: what changes the fleet is refused without $ROTA_JOURNAL, so that nobody works beside the team unseen.",
      ),
    balancers: z
      .record(nameKey, balancer)
      .refine(filledMap, notEmpty)
      .meta({ minProperties: 1 })
      .optional()
      .describe(
        "Every HAProxy that serves these pools: its name here, and its runtime socket. Where every pool has drain.via: status-page, its statistics page will do (lb2: http://10.0.0.2:8404/stats), or no balancers at all.",
      ),
    ssh: ssh
      .prefault({})
      .describe(
        "How to log in to the nodes, and to balancers at ssh://; a node may differ. What is not said here is as ~/.ssh/config has it (docs/ssh.md).",
      ),
    hooks: deployHooks
      .prefault({})
      .describe(
        "Commands before and after a deploy or a rollback, on the machine that rota runs on. Variables: --set, ROTA_RUN, ROTA_FLEET, ROTA_COMMAND (deploy or rollback), ROTA_NODES.",
      ),
    notices: notices
      .default([])
      .describe(
        "Who is told when a run starts, when a node fails and when it ends: webhooks and commands. No run waits for them, or fails with them (docs/notices.md).",
      ),
    pools: z
      .record(nameKey, pool)
      .refine(filledMap, notEmpty)
      .meta({ minProperties: 1 })
      .describe("Nodes that are deployed alike. Pools go one after another, in the order of the file."),
  })
  .meta({ title: "rota inventory" });

/** An inventory whose shape is right, its defaults filled in. */
export type Inventory = z.output<typeof inventorySchema>;
export type RawPool = Inventory["pools"][string];
export type RawNode = RawPool["nodes"][string];
export type RawBalancer = NonNullable<Inventory["balancers"]>[string];
export type RawNodeSsh = z.output<typeof nodeSsh>;
export type RawVars = RawPool["vars"];

/** For editors. */
export const editorSchema = (): object => z.toJSONSchema(inventorySchema, { io: "input", target: "draft-7" });

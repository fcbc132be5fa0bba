/** A plan as lines. Pure. */
import { sayDuration } from "../base/duration.ts";
import type { Batch, Plan } from "../rotation/plan.ts";
import type { Trip } from "../rotation/world.ts";
import { columns } from "./width.ts";

/** @param nodeTook milliseconds that a node took lately, if any run was recorded */
export function planLines(plan: Plan, nodeTook: number | undefined): string[] {
  const batches = plan.pools.flatMap(({ batches }) => batches);
  return [
    ...plan.pools.flatMap(({ pool, batches }) => [
      `${pool.name}: ${batches.flatMap(({ trips }) => trips).length} of ${pool.nodes.length} nodes in ${batches.length} batch${batches.length === 1 ? "" : "es"}`,
      ...indent(
        columns(
          batches.map((batch, i) => [`${i + 1}.`, batch.trips.map(nameOf).join(" "), sayCapacity(batch)]),
        ),
      ),
      ...indent(batches.flatMap(({ trips }) => trips).flatMap(sayNote)),
    ]),
    ...(plan.leftAlone.length > 0 ? ["left alone:"] : []),
    ...indent(columns(plan.leftAlone.map(({ node, why }) => [node, why]))),
    ...(batches.length > 0 ? [sayTime(batches.length, nodeTook)] : ["nothing to do"]),
  ];
}

const indent = (lines: string[]): string[] => lines.map((line) => `  ${line}`);
const nameOf = ({ node }: Trip): string => node.name;

/** "serving meanwhile: lb1/app 3 of 4 (at least 2), lb2/app 3 of 4 (at least 2)" */
const sayCapacity = ({ capacity }: Batch): string =>
  `serving meanwhile: ${capacity.map((c) => `${c.balancer}/${c.backend} ${c.serving} of ${c.servers} (at least ${c.least})`).join(", ")}`;

const notes: Record<Trip["standing"], string | undefined> = {
  serving: undefined,
  down: "is down; goes first, back when proven",
  ours: "was left out by a run of rota; goes first, back when proven",
  held: "is kept out by somebody; stays out",
};

const sayNote = ({ node, standing }: Trip): string[] =>
  notes[standing] ? [`${node.name} ${notes[standing]}`] : [];

const sayTime = (batches: number, nodeTook: number | undefined): string =>
  nodeTook === undefined
    ? "expected time: unknown; no earlier deploy of this fleet is in the journal"
    : `expected time: about ${sayDuration(batches * nodeTook)} (${sayDuration(nodeTook)} a batch lately)`;

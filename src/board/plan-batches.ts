/** The batches of a plan as rows of a table: a person reads ten lines, and not a thousand that are alike. Pure. */
import { isOvertaken } from "../rotation/ahead.ts";
import type { Batch, Capacity } from "../rotation/plan/batches.ts";
import type { PoolPlan } from "../rotation/plan/plan.ts";
import { nameOf } from "../rotation/world.ts";
import { count } from "./width.ts";

/** So many rows that differ in nothing but their names are shown; of more, the first two and the last. */
const mostAlike = 8;
/** Of one batch; of more, the first two and the last. All are in `rota plan --json`. */
const mostNamed = 12;

export function batchRows(plan: PoolPlan): string[][] {
  const rows = plan.batches.map((batch, i) => rowOf(plan, batch, i));
  return inRuns(rows).flatMap((run) => {
    const [first, second] = run;
    const last = run.at(-1);
    if (run.length <= mostAlike || !first || !second || !last) return run.map(({ cells }) => cells);
    const between = `${run.length - 3} more of ${count(first.size, "node")} each, in the order of the inventory`;
    return [first.cells, second.cells, ["…", between, ""], last.cells];
  });
}

interface Row {
  cells: string[];
  size: number;
  /** The same for rows that are alike. */
  kind: string;
}

function rowOf(plan: PoolPlan, batch: Batch, i: number): Row {
  const names = batch.trips.map(nameOf);
  const marks = `${batch.canary ? " (canary)" : ""}${isOvertaken(plan, i - 1) ? ` (leaves while ${i}. soaks)` : ""}`;
  const capacity = sayCapacity(batch);
  // Of those that leave while another soaks, each says which.
  const kind = [names.length, batch.canary, isOvertaken(plan, i - 1), capacity].join();
  return { cells: [`${i + 1}.`, `${sayNames(names)}${marks}`, capacity], size: names.length, kind };
}

function inRuns(rows: Row[]): Row[][] {
  const runs: Row[][] = [];
  for (const row of rows) {
    const run = runs.at(-1);
    if (run?.[0]?.kind === row.kind) run.push(row);
    else runs.push([row]);
  }
  return runs;
}

const sayNames = (names: string[]): string =>
  names.length <= mostNamed
    ? names.join(" ")
    : `${names.slice(0, 2).join(" ")} … ${names.at(-1)} (${names.length} nodes)`;

/** "serving meanwhile: lb1/app 3 of 4 (least 2), lb2/app 3 of 4 (least 2)" */
function sayCapacity({ capacity }: Batch): string {
  if (capacity.length === 0) return "";
  const each = capacity.map(
    (b) => `${b.balancer}/${b.backend} ${b.serving} of ${b.servers} (least ${b.least}${sayWeight(b)})`,
  );
  return `serving meanwhile: ${each.join(", ")}`;
}

/** Only a percent is meant of the weight too. */
const sayWeight = ({ weight }: Capacity): string =>
  weight && weight.least > 0 ? `; of weight ${weight.serving} of ${weight.whole}, least ${weight.least}` : "";

/** What the journal adds up to, for those who measure. */
import type { Kysely } from "kysely";
import type { Tables } from "./schema.ts";

export interface Totals {
  runs: { command: string; outcome: string; count: number }[];
  rotations: { outcome: string; count: number }[];
  steps: { step: string; count: number; seconds: number }[];
  holds: number;
  overdue: number;
  leftOut: number;
  unfinished: number;
  leasesLost: number;
}

export async function totalsOf(db: Kysely<Tables>, fleet: string): Promise<Totals> {
  const runs = await db
    .selectFrom("runs")
    .select(["command", "outcome"])
    .select((eb) => eb.fn.countAll<number | string>().as("count"))
    .where("fleet", "=", fleet)
    .groupBy(["command", "outcome"])
    .execute();
  const rotations = await db
    .selectFrom("trips")
    .innerJoin("runs", "runs.id", "trips.run")
    .select("trips.outcome")
    .select((eb) => eb.fn.countAll<number | string>().as("count"))
    .where("runs.fleet", "=", fleet)
    .groupBy("trips.outcome")
    .execute();
  const steps = await db
    .selectFrom("steps")
    .innerJoin("runs", "runs.id", "steps.run")
    .select(["steps.step", "steps.started", "steps.ended"])
    .where("runs.fleet", "=", fleet)
    .where("steps.ended", "is not", null)
    .execute();
  const absences = await db
    .selectFrom("absences")
    .select(["kind", "until"])
    .where("fleet", "=", fleet)
    .execute();
  const lost = await db
    .selectFrom("deeds")
    .select((eb) => eb.fn.countAll<number | string>().as("count"))
    .where((eb) => eb.and({ fleet, deed: "lose lease" }))
    .executeTakeFirst();
  const now = new Date().toISOString();
  const sum = new Map<string, { count: number; seconds: number }>();
  for (const { step, started, ended } of steps) {
    const so = sum.get(step) ?? { count: 0, seconds: 0 };
    const seconds = (Date.parse(ended ?? started) - Date.parse(started)) / 1_000;
    sum.set(step, { count: so.count + 1, seconds: so.seconds + seconds });
  }
  return {
    runs: runs.flatMap(({ command, outcome, count }) =>
      outcome === null ? [] : [{ command, outcome, count: Number(count) }],
    ),
    rotations: rotations.map((row) => ({ ...row, count: Number(row.count) })),
    steps: [...sum].map(([step, so]) => ({ step, ...so })),
    holds: absences.filter(({ kind }) => kind === "hold").length,
    overdue: absences.filter(({ kind, until }) => kind === "hold" && until !== null && until <= now).length,
    leftOut: absences.filter(({ kind }) => kind === "run").length,
    unfinished: runs
      .filter(({ outcome }) => outcome === null)
      .reduce((all, { count }) => all + Number(count), 0),
    leasesLost: Number(lost?.count ?? 0),
  };
}

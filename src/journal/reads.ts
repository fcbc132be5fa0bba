import { type Kysely, sql } from "kysely";
import { printable } from "../base/quote.ts";
import type { Absence, Change, DeedRecord, Known, RunRecord } from "../rotation/records.ts";
import { changing, goodDeploys, lastRotationsOf } from "./good-deploys.ts";
import type { Tables } from "./schema.ts";
import {
  readArgs,
  readCommand,
  readDeed,
  readFound,
  readNodeEnd,
  readNodes,
  readPrinter,
  readRunEnd,
  readSet,
  readSets,
  readStep,
} from "./stored.ts";

export const readsOf = (db: Kysely<Tables>): Known => ({
  absences: async (fleet) => {
    const rows = await db.selectFrom("absences").selectAll().where("fleet", "=", fleet).execute();
    return new Map(rows.map((row) => [row.node, absenceOf(row)]));
  },

  lastSet: async (fleet, node) => {
    const row = await goodDeploys(db, fleet, ["back", "kept out"])
      .select(["runs.set", "runs.sets"])
      .where("trips.node", "=", node)
      .limit(1)
      .executeTakeFirst();
    return row && setOf(row, node);
  },

  changes: (fleet, nodes) => changesOf(db, fleet, nodes),
  switches: async (fleet, node) => {
    const rows = await db
      .selectFrom("switches")
      .innerJoin("runs", "runs.id", "switches.run")
      .selectAll("switches")
      .where((eb) => eb.and({ "runs.fleet": fleet, "switches.node": node }))
      .orderBy("switches.at", "desc")
      .execute();
    return rows.map(({ at, before, ...row }) => ({ ...row, at: new Date(at), before: before ?? undefined }));
  },

  lastRotations: (fleet) => lastRotationsOf(db, fleet),

  runs: async (fleet, most) => {
    const all = db.selectFrom("runs").selectAll().orderBy("started", "desc").limit(most);
    const rows = await (fleet === undefined ? all : all.where("fleet", "=", fleet)).execute();
    return rows.map(runOf);
  },

  pausedBy: async (run) => {
    const row = await db.selectFrom("runs").select("paused").where("id", "=", run).executeTakeFirst();
    return row?.paused ?? undefined;
  },

  deeds: async (fleet, most) => {
    const all = db.selectFrom("deeds").selectAll().orderBy("at", "desc").limit(most);
    const ofFleet = all.where((eb) => eb.or([eb("fleet", "=", fleet ?? ""), eb("fleet", "is", null)]));
    return (await (fleet === undefined ? all : ofFleet).execute()).map(deedOf);
  },

  lastSets: async (fleet) => {
    const rows = await db
      .with("good", (query) =>
        goodDeploys(query, fleet, ["back", "kept out"])
          .clearOrderBy()
          .select(["trips.node", "runs.set", "runs.sets"])
          .select(
            sql<number>`row_number() over (partition by trips.node order by trips.ended desc)`.as("nth"),
          ),
      )
      .selectFrom("good")
      .selectAll()
      .where("nth", "=", 1)
      .execute();
    return new Map(rows.map((row) => [row.node, setOf(row, row.node)]));
  },

  run: async (id, printed = true) => {
    const [row, another] = await db
      .selectFrom("runs")
      .selectAll()
      .where((eb) => eb(eb.fn("substr", [eb.ref("id"), eb.val(1), eb.val(id.length)]), "=", id))
      .limit(2)
      .execute();
    if (!row || another) return undefined;
    const steps = await db
      .selectFrom("steps")
      .selectAll()
      .where("run", "=", row.id)
      .orderBy("started")
      .execute();
    const trips = await db
      .selectFrom("trips")
      .selectAll()
      .where("run", "=", row.id)
      .orderBy("ended")
      .execute();
    const outputs = printed
      ? await db.selectFrom("outputs").selectAll().where("run", "=", row.id).orderBy("at").execute()
      : [];
    const deeds = await db.selectFrom("deeds").selectAll().where("run", "=", row.id).orderBy("at").execute();
    return {
      ...runOf(row),
      steps: steps.map(stepOf),
      trips: trips.map((trip) => ({
        node: trip.node,
        ended: new Date(trip.ended),
        outcome: readNodeEnd(trip.outcome),
        why: textOf(trip.why),
      })),
      outputs: outputs.map(({ node, step, text }) => ({
        node,
        step: readPrinter(step),
        text: linesOf(text),
      })),
      deeds: deeds.map(deedOf),
    };
  },
});

async function changesOf(db: Kysely<Tables>, fleet: string, nodes: string[]): Promise<Change[]> {
  const rows = await db
    .selectFrom("steps")
    .innerJoin("runs", "runs.id", "steps.run")
    .leftJoin("trips", (join) =>
      join.onRef("trips.run", "=", "steps.run").onRef("trips.node", "=", "steps.node"),
    )
    .select(["runs.id", "runs.command", "runs.undoes", "runs.set", "runs.sets"])
    .select([
      "steps.node",
      "steps.step",
      "steps.started",
      "steps.outcome as done",
      "trips.ended",
      "trips.outcome",
      "trips.why",
    ])
    .where("runs.fleet", "=", fleet)
    .where("runs.command", "in", changing)
    .where("steps.step", "in", ["upgrade", "restart", "undo"])
    .orderBy("steps.started", "desc")
    .execute();
  const wanted = new Set(nodes);
  // The upgrade begins before its restart: of the two, the first is what is left here.
  const own = rows.filter(({ node }) => wanted.has(node));
  const first = new Map(
    own.filter(({ step }) => step !== "undo").map((row) => [`${row.id} ${row.node}`, row]),
  );
  const newest = new Map(own.toReversed().map((row) => [`${row.id} ${row.node}`, row]));
  return [...first.values()]
    .map((row) => ({
      run: row.id,
      command: readCommand(row.command),
      undoes: row.undoes ?? undefined,
      node: row.node,
      began: new Date(row.started),
      ended: dateOf(row.ended),
      good: (row.outcome === "back" || row.outcome === "kept out") && row.why === null,
      wentBack: isUndone(newest.get(`${row.id} ${row.node}`)),
      set: setOf(row, row.node),
    }))
    .toSorted((a, b) => b.began.getTime() - a.began.getTime());
}

/** The last thing that was done on it, and done. */
const isUndone = (last: { step: string; done: string | null } | undefined): boolean =>
  last?.step === "undo" && last.done === "done";

const setOf = (row: Pick<Tables["runs"], "set" | "sets">, node: string): Record<string, string> =>
  (row.sets === null ? undefined : readSets(row.sets)[node]) ?? readSet(row.set);

const dateOf = (text: string | null): Date | undefined => (text === null ? undefined : new Date(text));

const absenceOf = (row: Tables["absences"]): Absence => ({
  node: printable(row.node),
  kind: row.kind,
  run: printable(row.run),
  by: printable(row.by),
  reason: lineOf(row.reason),
  since: new Date(row.since),
  until: dateOf(row.until),
  found: readFound(row.found),
});

const runOf = (row: Tables["runs"]): RunRecord => ({
  run: printable(row.id),
  command: readCommand(row.command),
  fleet: printable(row.fleet),
  by: printable(row.by),
  reason: lineOf(row.reason),
  set: readSet(row.set),
  nodes: readNodes(row.nodes),
  args: readArgs(row.args),
  undoes: row.undoes ?? undefined,
  sets: row.sets === null ? undefined : readSets(row.sets),
  started: new Date(row.started),
  ended: dateOf(row.ended),
  outcome: row.outcome === null ? undefined : readRunEnd(row.outcome),
  message: textOf(row.message),
});

const deedOf = ({ at, deed, fleet, run, by, reason, what }: Tables["deeds"]): DeedRecord => ({
  at: new Date(at),
  deed: readDeed(deed),
  fleet: fleet ?? undefined,
  run: run ?? undefined,
  by: printable(by),
  reason: lineOf(reason),
  what: textOf(what),
});

/** Shown on terminals: it may have been written by anything that can write there. */
const lineOf = (text: string | null): string | undefined => (text === null ? undefined : printable(text));

/** The same for what may have several lines. */
const textOf = (text: string | null): string | undefined => (text === null ? undefined : linesOf(text));

const linesOf = (text: string): string => text.split("\n").map(printable).join("\n");

const stepOf = ({ node, step, started, ended, outcome, why }: Tables["steps"]) => ({
  node,
  step: readStep(step),
  started: new Date(started),
  ended: dateOf(ended),
  ok: outcome === null ? undefined : outcome === "done",
  why: textOf(why),
});

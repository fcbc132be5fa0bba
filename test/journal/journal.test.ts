import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { journalAddress, openDatabase, openJournal, type OpenJournal } from "../../src/journal/open.ts";
import type { JournalDatabase } from "../../src/journal/database.ts";
import type { Absence } from "../../src/rotation/ports.ts";
import { type LabPostgres, startPostgres } from "../lab/postgres.ts";

let postgres: LabPostgres;
beforeAll(async () => void (postgres = await startPostgres()), 60_000);
afterAll(() => postgres[Symbol.asyncDispose]());

type Env = Record<string, string>;

async function onSqlite(work: (env: Env) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "rota-journal-"));
  try {
    await work({ ROTA_JOURNAL: `sqlite:${join(folder, "journal.db")}` });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const onPostgres = async (work: (env: Env) => Promise<void>): Promise<void> =>
  work({ ROTA_JOURNAL: await postgres.freshDatabase() });

const opener = join(import.meta.dirname, "opener.ts");
const inAnotherProcess = (env: Env): Promise<unknown> =>
  promisify(execFile)(process.execPath, ["--import", "tsx", opener], { env: { ...process.env, ...env } });

/** The tables themselves, past the journal. */
async function tables<T>(env: Env, work: (db: JournalDatabase["db"]) => Promise<T>): Promise<T> {
  await using database = await openDatabase(journalAddress(env));
  return await work(database.db);
}

const start = {
  command: "deploy",
  fleet: "shop",
  by: "ann@here",
  reason: "new logo",
  set: { RELEASE: "42" },
} as const;

const absenceOf = (node: string, run: string): Absence => ({
  node,
  kind: "run",
  run,
  by: "ann@here",
  reason: undefined,
  since: new Date("2026-01-02T03:04:05.678Z"),
  until: undefined,
  found: [{ balancer: "lb1", backend: "app", server: node, admin: "ready", weight: 7 }],
});

describe.each([
  ["SQLite", onSqlite],
  ["PostgreSQL", onPostgres],
])("on %s", (_, fresh) => {
  test("what is written is there for the next process", () =>
    fresh(async (env) => {
      let run: string;
      {
        await using journal = await openJournal(env);
        run = await journal.begin(start);
        await journal.takenOut("shop", absenceOf("web1", run));
      }
      await using again = await openJournal(env);
      expect(await again.absences("shop")).toEqual(new Map([["web1", absenceOf("web1", run)]]));
      expect(await again.absences("other")).toEqual(new Map());
    }));

  test("a node that is taken out again keeps one entry, the last; put back it has none", () =>
    fresh(async (env) => {
      await using journal = await openJournal(env);
      const run = await journal.begin(start);
      await journal.takenOut("shop", absenceOf("web1", run));
      const hold: Absence = { ...absenceOf("web1", run), kind: "hold", reason: "disk", until: new Date(5) };
      await journal.takenOut("shop", hold);
      expect([...(await journal.absences("shop")).values()]).toEqual([hold]);
      await journal.putBack("shop", "web1");
      expect(await journal.absences("shop")).toEqual(new Map());
    }));

  test("each step is there before it is done, and how it ended afterwards", () =>
    fresh(async (env) => {
      await using journal = await openJournal(env);
      const run = await journal.begin(start);
      await journal.stepStarted(run, "web1", "drain");
      const rows = () => tables(env, (db) => db.selectFrom("steps").selectAll().execute());
      expect(await rows()).toMatchObject([{ node: "web1", step: "drain", ok: null, why: null }]);
      await journal.stepEnded(run, "web1", "drain", false, "no capacity");
      expect(await rows()).toMatchObject([{ node: "web1", step: "drain", ok: 0, why: "no capacity" }]);
    }));

  test("a node's last good deploy is remembered, and no other", () =>
    fresh(async (env) => {
      await using journal = await openJournal(env);
      const ran = async (release: string, end: "back" | "out", command: "deploy" | "rotate" = "deploy") => {
        const run = await journal.begin({ ...start, command, set: { RELEASE: release } });
        await journal.stepStarted(run, "web1", "survey");
        await journal.nodeEnded(run, "web1", end);
        await journal.end(run, "done");
      };
      expect(await journal.lastSet("shop", "web1")).toBeUndefined();
      await ran("41", "back");
      await ran("42", "out");
      await ran("x", "back", "rotate");
      expect(await journal.lastSet("shop", "web1")).toEqual({ RELEASE: "41" });
      expect(await journal.lastSet("shop", "web2")).toBeUndefined();
      expect(await journal.lastRotations("shop")).toHaveLength(1);
    }));

  test("two who write at once both get their turn", () =>
    fresh(async (env) => {
      await using one = await openJournal(env);
      await using other = await openJournal(env);
      const write = async (journal: OpenJournal): Promise<void> => {
        for (let i = 0; i < 20; i += 1) await journal.begin(start);
      };
      await Promise.all([write(one), write(other)]);
      const runs = await tables(env, (db) => db.selectFrom("runs").select("id").execute());
      expect(runs).toHaveLength(40);
    }));

  test("a new journal that several processes open at once is made once, and all of them write", () =>
    fresh(async (env) => {
      await Promise.all(Array.from({ length: 3 }, () => inAnotherProcess(env)));
      const runs = await tables(env, (db) => db.selectFrom("runs").select("by").execute());
      expect(new Set(runs.map(({ by }) => by)).size).toBe(3);
    }));

  test("an entry that somebody spoilt by hand is told, not guessed", () =>
    fresh(async (env) => {
      await using journal = await openJournal(env);
      const run = await journal.begin(start);
      await journal.takenOut("shop", absenceOf("web1", run));
      await tables(env, (db) => db.updateTable("absences").set({ found: '[{"admin":"on fire"}]' }).execute());
      await expect(journal.absences("shop")).rejects.toMatchObject({ code: "JOURNAL" });
    }));

  test("tables that a newer rota has changed are refused, with a message of their own", () =>
    fresh(async (env) => {
      await (await openJournal(env))[Symbol.asyncDispose]();
      await tables(env, (db) =>
        sql`insert into kysely_migration (name, timestamp) values ('0999 later', 'now')`.execute(db),
      );
      await expect(openJournal(env)).rejects.toMatchObject({
        code: "JOURNAL_NEWER",
        message: expect.stringContaining("was changed by a newer rota (0999 later)"),
      });
    }));
});

test("a PostgreSQL that dies is told without its password, and is used again when it is back", async () => {
  const url = (await postgres.freshDatabase()).replace("rota@", "rota:hunter22@");
  await using journal = await openJournal({ ROTA_JOURNAL: url });
  await journal.begin(start);
  await postgres.kill();
  const failure = await journal.begin(start).catch((thrown: unknown) => thrown);
  expect(failure).toMatchObject({
    code: "JOURNAL",
    next: expect.stringContaining("is the database running"),
  });
  expect(String(failure)).not.toContain("hunter22");
  await postgres.start();
  await journal.begin(start);
});

test("its place: what is named, else the state folder of the user", () => {
  const named = (ROTA_JOURNAL: string) => journalAddress({ ROTA_JOURNAL });
  expect(named("sqlite:/x/y.db")).toEqual({ kind: "sqlite", path: "/x/y.db" });
  expect(named("postgres://rota@db/rota")).toEqual({ kind: "postgres", url: "postgres://rota@db/rota" });
  const atState = journalAddress({ XDG_STATE_HOME: "/state" });
  expect(atState).toEqual({ kind: "sqlite", path: "/state/rota/journal.db" });
  const atHome = expect.stringMatching(/\/\.local\/state\/rota\/journal\.db$/);
  expect(journalAddress({})).toMatchObject({ path: atHome });
  expect(() => named("mysql://x")).toThrow("ROTA_JOURNAL is neither sqlite:");
});

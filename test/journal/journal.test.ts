import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OpenJournal } from "../../src/journal/journal.ts";
import { journalAddress, openDatabase, openJournal } from "../../src/journal/open.ts";
import { thisProcess } from "../../src/journal/process.ts";
import type { JournalDatabase } from "../../src/journal/database.ts";
import type { Claim } from "../../src/journal/lease.ts";
import type { Absence, Journal, RunStart } from "../../src/rotation/records.ts";
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

const claim = (over: Partial<Claim> = {}): Claim => ({
  fleet: "shop",
  by: "ann@here",
  command: "deploy",
  reason: undefined,
  ...thisProcess(),
  ...over,
});

/** A journal and its lease, as a run has them. */
async function opened(env: Env): Promise<OpenJournal & { writes: Journal; epoch: number }> {
  const journal = await openJournal(env);
  const taken = await journal.take(claim());
  if (!("epoch" in taken)) throw new Error("the lease is held");
  const { epoch } = taken;
  return { ...journal, epoch, writes: journal.under("shop", epoch) };
}

/** The tables themselves, past the journal. */
async function tables<T>(env: Env, work: (db: JournalDatabase["db"]) => Promise<T>): Promise<T> {
  await using database = await openDatabase(journalAddress(env));
  return await work(database.db);
}

const start: RunStart = {
  command: "deploy",
  fleet: "shop",
  by: "ann@here",
  reason: "new logo",
  set: { RELEASE: "42" },
  nodes: ["web1"],
  args: { nodes: [], set: ["RELEASE=42"], includeDown: true },
};

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
        await using journal = await opened(env);
        run = await journal.writes.begin(start);
        await journal.writes.takenOut("shop", absenceOf("web1", run));
      }
      await using again = await openJournal(env);
      expect(await again.absences("shop")).toEqual(new Map([["web1", absenceOf("web1", run)]]));
      expect(await again.absences("other")).toEqual(new Map());
    }));

  test("a node that is taken out again keeps one entry, the last; put back it has none", () =>
    fresh(async (env) => {
      await using journal = await opened(env);
      const run = await journal.writes.begin(start);
      await journal.writes.takenOut("shop", absenceOf("web1", run));
      const hold: Absence = { ...absenceOf("web1", run), kind: "hold", reason: "disk", until: new Date(5) };
      await journal.writes.takenOut("shop", hold);
      expect([...(await journal.absences("shop")).values()]).toEqual([hold]);
      await journal.writes.putBack("shop", "web1");
      await journal.writes.putBack("shop", "web1"); // once more does no harm
      expect(await journal.absences("shop")).toEqual(new Map());
    }));

  test("each step is there before it is done, and how it ended afterwards", () =>
    fresh(async (env) => {
      await using journal = await opened(env);
      const run = await journal.writes.begin(start);
      await journal.writes.stepStarted(run, "web1", "drain");
      const rows = () => tables(env, (db) => db.selectFrom("steps").selectAll().execute());
      expect(await rows()).toMatchObject([{ node: "web1", step: "drain", outcome: null, why: null }]);
      await journal.writes.stepEnded(run, "web1", "drain", "failed", "no capacity");
      expect(await rows()).toMatchObject([
        { node: "web1", step: "drain", outcome: "failed", why: "no capacity" },
      ]);
    }));

  test("a run's row says who, what, why, and how it ended", () =>
    fresh(async (env) => {
      await using journal = await opened(env);
      const run = await journal.writes.begin(start);
      await journal.writes.end(run, "failed", "web1: exit code 3");
      const rows = await tables(env, (db) => db.selectFrom("runs").selectAll().execute());
      expect(rows).toMatchObject([
        {
          id: run,
          fleet: "shop",
          by: "ann@here",
          reason: "new logo",
          outcome: "failed",
          message: "web1: exit code 3",
        },
      ]);
    }));

  test("a node's last good deploy is remembered, and no other", () =>
    fresh(async (env) => {
      await using journal = await opened(env);
      const { writes } = journal;
      const ran = async (release: string, end: "back" | "out", command: "deploy" | "rotate" = "deploy") => {
        const run = await writes.begin({ ...start, command, set: { RELEASE: release } });
        await writes.stepStarted(run, "web1", "survey");
        await writes.stepStarted(run, "web1", "ready");
        await writes.stepEnded(run, "web1", "ready", "done");
        await writes.nodeEnded(run, "web1", end);
        await writes.end(run, "done");
      };
      expect(await journal.lastSet("shop", "web1")).toBeUndefined();
      await ran("41", "back");
      await ran("42", "out");
      await ran("x", "back", "rotate");
      expect(await journal.lastSet("shop", "web1")).toEqual({ RELEASE: "41" });
      expect(await journal.lastSet("shop", "web2")).toBeUndefined();
      expect(await journal.lastSets("shop")).toEqual(new Map([["web1", { RELEASE: "41" }]]));
      expect(await journal.lastRotations("shop")).toHaveLength(1);
    }));

  test("what each run did on a node, and was given for it; a run that was undone says how it ended, and by whom", () =>
    fresh(async (env) => {
      await using journal = await opened(env);
      const { writes } = journal;
      const deploy = await writes.begin(start);
      await writes.stepStarted(deploy, "web1", "upgrade");
      await writes.stepStarted(deploy, "web1", "restart");
      await writes.nodeEnded(deploy, "web1", "back", "worse since it is back");
      await writes.stepStarted(deploy, "web2", "drain"); // which changes nothing on the node
      await writes.end(deploy, "failed", "web1: worse");
      const sets = { web1: { RELEASE: "40" }, web2: { RELEASE: "39" } };
      const undoing = await writes.begin({ ...start, command: "rollback", set: {}, undoes: deploy, sets });
      await writes.undone(deploy, undoing);
      await writes.undone(deploy, undoing); // as a resume does again
      await writes.stepStarted(undoing, "web1", "restart");
      await writes.nodeEnded(undoing, "web1", "back");
      expect(await journal.changes("shop", ["web1", "web2"])).toMatchObject([
        { run: undoing, command: "rollback", undoes: deploy, node: "web1", good: true, set: sets.web1 },
        { run: deploy, command: "deploy", undoes: undefined, node: "web1", good: false, set: start.set },
      ]);
      expect(await journal.changes("shop", ["web2"])).toEqual([]);
      expect(await journal.changes("other", ["web1"])).toEqual([]);
      expect(await journal.lastSet("shop", "web1")).toEqual(sets.web1);
      const undone = await journal.run(deploy);
      expect(undone).toMatchObject({ outcome: "rolled back" });
      expect(undone?.ended).toBeInstanceOf(Date);
      expect(undone?.message).toBe(`web1: worse\nrolled back by run ${undoing}`);
      const open = await writes.begin(start);
      await writes.undone(open, undoing);
      expect((await journal.run(open))?.message).toBe(`rolled back by run ${undoing}`);
      expect(await journal.run(undoing)).toMatchObject({ undoes: deploy, sets });
    }));

  test(
    "a new journal that several processes open at once is made once, and all of them write",
    { timeout: 90_000 },
    () =>
      fresh(async (env) => {
        await Promise.all(Array.from({ length: 3 }, () => inAnotherProcess(env)));
        const runs = await tables(env, (db) => db.selectFrom("runs").select("by").execute());
        expect(new Set(runs.map(({ by }) => by)).size).toBe(3);
      }),
  );

  test("the history: each run with its nodes, steps, outputs and end, the newest first", () =>
    fresh(async (env) => {
      await using journal = await opened(env);
      const { writes } = journal;
      const run = await writes.begin(start);
      await writes.stepStarted(run, "web1", "upgrade");
      await writes.printed(run, "web1", "upgrade", "one\ntwo");
      await writes.stepEnded(run, "web1", "upgrade", "failed", "exit code 3");
      await writes.nodeEnded(run, "web1", "out", "exit code 3");
      await writes.end(run, "failed", "web1: exit code 3");
      const later = await writes.begin({ ...start, reason: undefined });
      const known = await journal.runs("shop", 10);
      expect(known.map((one) => one.run)).toEqual([later, run]);
      expect(known[0]).toMatchObject({ ...start, reason: undefined, ended: undefined, outcome: undefined });
      expect(await journal.runs("other", 10)).toEqual([]);
      expect(await journal.runs(undefined, 1)).toHaveLength(1);
      expect(await journal.run(run.slice(0, 5))).toMatchObject({
        ...start,
        run,
        outcome: "failed",
        message: "web1: exit code 3",
        steps: [{ node: "web1", step: "upgrade", ok: false, why: "exit code 3" }],
        trips: [{ node: "web1", outcome: "out", why: "exit code 3" }],
        outputs: [{ node: "web1", step: "upgrade", text: "one\ntwo" }],
      });
      expect(await journal.run("")).toBeUndefined(); // both begin so
      expect(await journal.run("%")).toBeUndefined();
    }));

  test("what is old is removed, but not what somebody may still need", () =>
    fresh(async (env) => {
      await using journal = await opened(env);
      const { writes } = journal;
      const ran = async (end: "back" | "out"): Promise<string> => {
        const run = await writes.begin(start);
        await writes.stepStarted(run, "web1", "survey");
        await writes.printed(run, "web1", "upgrade", "text");
        await writes.switched(run, "web1", { to: "/srv/app", before: undefined, after: `releases/${run}` });
        await writes.nodeEnded(run, "web1", end);
        await writes.end(run, "done");
        return run;
      };
      await ran("back");
      const goodBefore = await ran("back"); // what a rollback of the last one goes back to
      const lastGood = await ran("back");
      await ran("out");
      const leftOut = await ran("out");
      await writes.takenOut("shop", absenceOf("web1", leftOut));
      const open = await writes.begin(start);
      expect(await journal.prune(new Date(0))).toBe(0);
      expect(await journal.prune(new Date(Date.now() + 1_000))).toBe(2);
      const left = (await journal.runs("shop", 10)).map((one) => one.run);
      expect(new Set(left)).toEqual(new Set([goodBefore, lastGood, leftOut, open]));
      expect(await journal.lastSet("shop", "web1")).toEqual(start.set);
      expect(await journal.switches("shop", "web1")).toEqual(
        [leftOut, lastGood, goodBefore].map((run) => ({
          run,
          node: "web1",
          at: expect.any(Date),
          to: "/srv/app",
          before: undefined,
          after: `releases/${run}`,
        })),
      );
      expect(await journal.switches("another", "web1")).toEqual([]);
    }));

  test("a run that came back and was not well is not counted as one to go back to", () =>
    fresh(async (env) => {
      await using journal = await opened(env);
      const { writes } = journal;
      const ran = async (why?: string): Promise<string> => {
        const run = await writes.begin(start);
        await writes.nodeEnded(run, "web1", "back", why);
        await writes.end(run, "done");
        return run;
      };
      const all = [await ran(), await ran(), await ran("it soaks worse"), await ran()];
      expect(await journal.prune(new Date(Date.now() + 1_000))).toBe(1);
      const left = (await journal.runs("shop", 10)).map((one) => one.run);
      expect(new Set(left)).toEqual(new Set(all.slice(1)));
    }));

  test("an entry that somebody spoilt by hand is told, not guessed", () =>
    fresh(async (env) => {
      await using journal = await opened(env);
      const run = await journal.writes.begin(start);
      await journal.writes.takenOut("shop", absenceOf("web1", run));
      await tables(env, (db) => db.updateTable("absences").set({ found: '[{"admin":"on fire"}]' }).execute());
      await expect(journal.absences("shop")).rejects.toMatchObject({ code: "JOURNAL" });
    }));

  test("what others wrote moves no cursor of those who read it", () =>
    fresh(async (env) => {
      await using journal = await opened(env);
      const { writes } = journal;
      const [bad, shown] = ["\u001b[2Jone\ntwo\u0007", "[2Jone\ntwo\ufffd"];
      const run = await writes.begin(start);
      await writes.stepStarted(run, "web1", "upgrade");
      await writes.printed(run, "web1", "upgrade", bad);
      await writes.stepEnded(run, "web1", "upgrade", "failed", bad);
      await writes.nodeEnded(run, "web1", "out", bad);
      await writes.end(run, "failed", bad);
      await tables(env, (db) => db.updateTable("runs").set({ fleet: "shop\n--force" }).execute());
      expect(await journal.run(run)).toMatchObject({
        fleet: "shop\ufffd--force",
        message: shown,
        steps: [{ why: shown }],
        trips: [{ why: shown }],
        outputs: [{ text: shown }],
      });
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

  test("one at a time has the lease of a fleet, and the other is told who and why", () =>
    fresh(async (env) => {
      await using one = await openJournal(env);
      await using other = await openJournal(env);
      const taken = await one.take(claim({ reason: "new logo" }));
      expect(taken).toEqual({ epoch: 1 });
      const heldBy = expect.objectContaining({
        by: "ann@here",
        command: "deploy",
        reason: "new logo",
        epoch: 1,
      });
      expect(await other.take(claim({ by: "bob@there" }))).toEqual({ heldBy });
      expect(await other.take(claim({ fleet: "another" }))).toEqual({ epoch: 1 });
      await one.release("shop", 1);
      expect(await other.holderOf("shop")).toBeUndefined();
      expect(await other.take(claim())).toEqual({ epoch: 3 });
    }));

  test("of many who want the lease at once, exactly one gets it", () =>
    fresh(async (env) => {
      const journals: OpenJournal[] = [];
      // One after the other: within one process, SQLite would wait for a lock that only it can give back.
      for (let i = 0; i < 8; i += 1) journals.push(await openJournal(env));
      for (let round = 0; round < 10; round += 1) {
        const taken = await Promise.all(journals.map((journal) => journal.take(claim())));
        const epochs = taken.flatMap((one) => ("epoch" in one ? [one.epoch] : []));
        expect(epochs).toHaveLength(1);
        await journals[0]?.release("shop", epochs[0] ?? 0);
      }
      await Promise.all(journals.map((journal) => journal[Symbol.asyncDispose]()));
    }));

  test("what is written at one moment is there together, but for what can't be written", () =>
    fresh(async (env) => {
      await using open = await opened(env);
      const run = await open.writes.begin(start);
      const nodes = Array.from({ length: 50 }, (__, i) => `web${i + 1}`);
      const writing = nodes.map((node) =>
        node === "web7"
          ? open.writes.stepStarted("no run", node, "drain")
          : open.writes.stepStarted(run, node, "drain"),
      );
      const ends = await Promise.allSettled(writing);
      expect(ends.filter(({ status }) => status === "rejected")).toHaveLength(1);
      const { steps = [] } = (await open.run(run)) ?? {};
      expect(steps.map(({ node }) => node).toSorted()).toEqual(
        nodes.filter((node) => node !== "web7").toSorted(),
      );
    }));

  test("a lease that expired, or whose process is gone, is taken over; its old holder can write nothing more", () =>
    fresh(async (env) => {
      await using old = await opened(env);
      const run = await old.writes.begin(start);
      await old.writes.takenOut("shop", absenceOf("web1", run));
      await tables(env, (db) => db.updateTable("leases").set({ expires: 1 }).execute());
      await using next = await openJournal(env);
      const gone = claim({ pid: 4_194_305, started: "1" }); // above the largest pid of Linux
      expect(await next.take(gone)).toEqual({ epoch: old.epoch + 1 });
      expect(await old.holds("shop", old.epoch)).toBe(false);
      expect(await next.holds("shop", old.epoch + 1)).toBe(true);
      expect(await old.renew("shop", old.epoch)).toBe(false);
      const lost = expect.objectContaining({ code: "LEASE_LOST" });
      await expect(old.writes.begin(start)).rejects.toEqual(lost);
      await expect(old.writes.stepStarted(run, "web1", "drain")).rejects.toEqual(lost);
      await expect(old.writes.takenOut("shop", absenceOf("web2", run))).rejects.toEqual(lost);
      await expect(old.writes.putBack("shop", "web1")).rejects.toEqual(lost);
      await expect(old.writes.putBack("shop", "web9")).rejects.toEqual(lost);
      await expect(old.writes.end(run, "done")).rejects.toEqual(lost);
      expect([...(await next.absences("shop")).keys()]).toEqual(["web1"]);
      // That holder is a process of this machine that does not run: nobody waits for its end.
      await using third = await openJournal(env);
      expect(await third.take(claim())).toEqual({ epoch: old.epoch + 2 });
    }));

  test("a process of another machine is waited for, whatever its number", () =>
    fresh(async (env) => {
      await using journal = await openJournal(env);
      await journal.take(claim({ host: "elsewhere", pid: 4_194_305, started: "1" }));
      expect(await journal.take(claim())).toMatchObject({ heldBy: { host: "elsewhere" } });
      await journal.release("shop", 1); // rota unlock
      expect(await journal.take(claim())).toMatchObject({ epoch: 3 });
    }));

  test("what a run sees is there for others while it lasts, and needs no lease", () =>
    fresh(async (env) => {
      await using journal = await opened(env);
      await using other = await openJournal(env);
      const run = await journal.writes.begin(start);
      expect(await other.liveOf(run)).toEqual({});
      await journal.tellLive(run, { web1: "9 sessions" });
      await journal.tellLive(run, { web1: "3 sessions", web2: "booting" });
      expect(await other.liveOf(run)).toEqual({ web1: "3 sessions", web2: "booting" });
      await journal.endLive(run);
      expect(await other.liveOf(run)).toEqual({});
    }));

  test("tokens are found by their hash, replaced by name, and gone when they are removed", () =>
    fresh(async (env) => {
      await using journal = await openJournal(env);
      await journal.keepToken({ name: "ann", role: "viewer", hash: "aa" });
      await journal.keepToken({ name: "bob", role: "viewer", hash: "bb" });
      await journal.keepToken({ name: "ann", role: "operator", hash: "cc" });
      expect(await journal.tokenWith("aa")).toBeUndefined();
      expect(await journal.tokenWith("cc")).toMatchObject({ name: "ann", role: "operator" });
      expect((await journal.tokens()).map(({ name }) => name)).toEqual(["ann", "bob"]);
      expect([await journal.removeToken("bob"), await journal.removeToken("bob")]).toEqual([true, false]);
      expect(await journal.tokenWith("bb")).toBeUndefined();
    }));

  test("totals count this fleet's runs, trips, steps, holds and lost leases", () =>
    fresh(async (env) => {
      await using journal = await opened(env);
      const [done, open] = [await journal.writes.begin(start), await journal.writes.begin(start)];
      await journal.writes.stepStarted(done, "web1", "drain");
      await journal.writes.stepEnded(done, "web1", "drain", "done");
      await journal.writes.stepStarted(done, "web2", "drain"); // not ended: not counted
      await journal.writes.nodeEnded(done, "web1", "back");
      await journal.writes.end(done, "done");
      await journal.writes.takenOut("shop", absenceOf("web1", open));
      const deed = { deed: "lose lease" as const, run: open, by: "ann", reason: undefined, what: undefined };
      await journal.did({ ...deed, fleet: "shop" });
      await journal.did({ ...deed, fleet: "another" });
      const totals = await journal.totals("shop");
      expect(totals).toMatchObject({
        runs: [{ command: start.command, outcome: "done", count: 1 }],
        rotations: [{ outcome: "back", count: 1 }],
        steps: [{ step: "drain", count: 1 }],
        leftOut: 1,
        unfinished: 1,
        leasesLost: 1,
      });
      expect(totals.steps[0]?.seconds).toBeLessThan(10);
      expect(await journal.totals("another")).toMatchObject({
        runs: [],
        steps: [],
        unfinished: 0,
        leasesLost: 1,
      });
    }));
});

test("a PostgreSQL that dies is told without its password, and is used again when it is back", async () => {
  const url = (await postgres.freshDatabase()).replace("rota@", "rota:hunter22@");
  await using journal = await opened({ ROTA_JOURNAL: url });
  await journal.writes.begin(start);
  await postgres.kill();
  const failure = await journal.writes.begin(start).catch((thrown: unknown) => thrown);
  expect(failure).toMatchObject({
    code: "JOURNAL",
    next: expect.stringContaining("see that the database runs"),
  });
  expect(String(failure)).not.toContain("hunter22");
  await postgres.start();
  await journal.writes.begin(start);
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

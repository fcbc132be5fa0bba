import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { openDatabase, openJournal } from "../../src/journal/open.ts";
import { thisProcess } from "../../src/journal/process.ts";
import type { OpenJournal } from "../../src/journal/journal.ts";
import type { Journal, StepRecord } from "../../src/rotation/records.ts";

interface Opened {
  path: string;
  journal: OpenJournal;
  epoch: number;
  writes: Journal;
  run: string;
  /** How often something was committed to the file. */
  commits: () => Promise<number>;
}

async function opened(work: (opened: Opened) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "rota-journal-"));
  try {
    const path = join(folder, "journal.db");
    await using journal = await openJournal({ ROTA_JOURNAL: `sqlite:${path}` });
    const claim = { fleet: "shop", by: "ann", command: "deploy", reason: undefined, ...thisProcess() };
    const taken = await journal.take(claim);
    if (!("epoch" in taken)) throw new Error("the lease is held");
    const { epoch } = taken;
    const writes = journal.under("shop", epoch);
    const start = {
      command: "deploy",
      fleet: "shop",
      by: "ann",
      reason: undefined,
      set: {},
      nodes,
      args: {},
    };
    const run = await writes.begin({ ...start, command: "deploy" });
    // The file change counter (SQLite's Database File Format, 1.3.7).
    const commits = async (): Promise<number> => (await readFile(path)).readUInt32BE(24);
    await work({ path, journal, epoch, writes, run, commits });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const stepsOf = async (journal: OpenJournal, run: string): Promise<StepRecord[]> =>
  (await journal.run(run))?.steps ?? [];

const nodes = Array.from({ length: 100 }, (_, i) => `web${i + 1}`);

test("what a hundred nodes write at the same time is committed as one, and each hears when it is there", () =>
  opened(async ({ journal, writes, run, commits }) => {
    const before = await commits();
    await Promise.all(nodes.map((node) => writes.stepStarted(run, node, "drain")));
    expect((await commits()) - before).toBe(1);
    await Promise.all(nodes.map((node) => writes.stepEnded(run, node, "drain", "done")));
    expect((await commits()) - before).toBe(2);
    const steps = await stepsOf(journal, run);
    expect(steps.filter(({ ok }) => ok)).toHaveLength(100);
  }));

test("of writes at the same time one that the database refuses fails alone", () =>
  opened(async ({ path, journal, writes, run }) => {
    await using database = await openDatabase({ kind: "sqlite", path });
    await sql`create trigger full before insert on steps when new.node = 'web7'
      begin select raise(abort, 'no room'); end`.execute(database.db);
    const ended = await Promise.allSettled(nodes.map((node) => writes.stepStarted(run, node, "drain")));
    const failed = ended.flatMap((end, i) => (end.status === "rejected" ? [[nodes[i], end.reason]] : []));
    expect(failed).toEqual([["web7", expect.objectContaining({ code: "JOURNAL" })]]);
    expect(await stepsOf(journal, run)).toHaveLength(99);
  }));

test("who lost the lease writes nothing, also where many write at the same time", () =>
  opened(async ({ journal, epoch, writes, run }) => {
    await journal.release("shop", epoch);
    const ended = await Promise.allSettled(nodes.map((node) => writes.stepStarted(run, node, "drain")));
    for (const end of ended)
      expect(end).toMatchObject({ status: "rejected", reason: { code: "LEASE_LOST" } });
    expect(await stepsOf(journal, run)).toEqual([]);
  }));

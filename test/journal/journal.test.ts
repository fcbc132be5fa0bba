import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "libsql";
import { expect, test } from "vitest";
import { journalPath, type OpenJournal, openJournal, readJournal } from "../../src/journal/open.ts";
import type { Absence } from "../../src/rotation/ports.ts";

async function inFolder(work: (folder: string, env: Record<string, string>) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "rota-journal-"));
  try {
    await work(folder, { ROTA_JOURNAL: `sqlite:${join(folder, "deep/er/journal.db")}` });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
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

test("what is written is there for the next process, and only its owner may read it", () =>
  inFolder(async (folder, env) => {
    let run: string;
    {
      await using journal = await openJournal(env);
      run = await journal.begin(start);
      await journal.takenOut("shop", absenceOf("web1", run));
    }
    await using again = await openJournal(env);
    expect(await again.absences("shop")).toEqual(new Map([["web1", absenceOf("web1", run)]]));
    expect(await again.absences("other")).toEqual(new Map());
    const { mode } = await stat(join(folder, "deep/er/journal.db"));
    expect(mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, "deep/er"))).mode & 0o777).toBe(0o700);
  }));

test("a node that is taken out again keeps one entry, the last; put back it has none", () =>
  inFolder(async (_, env) => {
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
  inFolder(async (folder, env) => {
    await using journal = await openJournal(env);
    const run = await journal.begin(start);
    await journal.stepStarted(run, "web1", "drain");
    const db = new Database(join(folder, "deep/er/journal.db"));
    const rows = () => db.prepare("select node, step, ok, why from steps").all();
    expect(rows()).toMatchObject([{ node: "web1", step: "drain", ok: null, why: null }]);
    await journal.stepEnded(run, "web1", "drain", false, "no capacity");
    expect(rows()).toMatchObject([{ node: "web1", step: "drain", ok: 0, why: "no capacity" }]);
    db.close();
  }));

test("a node's last good deploy is remembered, and no other", () =>
  inFolder(async (_, env) => {
    await using journal = await openJournal(env);
    const deployed = async (
      release: string,
      end: "back" | "out",
      command: "deploy" | "rotate" = "deploy",
    ) => {
      const run = await journal.begin({ ...start, command, set: { RELEASE: release } });
      await journal.stepStarted(run, "web1", "survey");
      await journal.nodeEnded(run, "web1", end);
      await journal.end(run, "done");
    };
    expect(await journal.lastSet("shop", "web1")).toBeUndefined();
    await deployed("41", "back");
    await deployed("42", "out");
    await deployed("x", "back", "rotate");
    expect(await journal.lastSet("shop", "web1")).toEqual({ RELEASE: "41" });
    expect(await journal.lastSet("shop", "web2")).toBeUndefined();
    expect(await journal.lastRotations("shop")).toHaveLength(1);
  }));

test("two processes that write at once both get their turn", () =>
  inFolder(async (_, env) => {
    await using one = await openJournal(env);
    await using other = await openJournal(env);
    const write = async (journal: OpenJournal): Promise<void> => {
      for (let i = 0; i < 20; i += 1) await journal.begin(start);
    };
    await Promise.all([write(one), write(other)]);
  }));

test("reading makes no file, and says nothing where none is", () =>
  inFolder(async (folder, env) => {
    expect(await readJournal(env)).toBeUndefined();
    await expect(stat(join(folder, "deep"))).rejects.toThrow("ENOENT");
  }));

test("a journal that can't be used is told with its path and what to do", () =>
  inFolder(async (folder) => {
    const path = join(folder, "not-a-database");
    await writeFile(path, "just text, and long enough to be taken for a page of something else".repeat(50));
    const broken = openJournal({ ROTA_JOURNAL: `sqlite:${path}` });
    await expect(broken).rejects.toMatchObject({
      code: "JOURNAL",
      message: expect.stringContaining(path),
      next: expect.stringContaining("ROTA_JOURNAL=sqlite:"),
    });
    await writeFile(join(folder, "file"), "");
    await expect(openJournal({ ROTA_JOURNAL: `sqlite:${folder}/file/journal.db` })).rejects.toMatchObject({
      code: "JOURNAL",
    });
  }));

test("an entry that somebody spoilt by hand is told, not guessed", () =>
  inFolder(async (folder, env) => {
    await using journal = await openJournal(env);
    const run = await journal.begin(start);
    await journal.takenOut("shop", absenceOf("web1", run));
    const db = new Database(join(folder, "deep/er/journal.db"));
    db.exec(`update absences set found = '[{"admin":"on fire"}]'`);
    db.close();
    await expect(journal.absences("shop")).rejects.toMatchObject({ code: "JOURNAL" });
  }));

test("its place: what is named, else the state folder of the user", () => {
  expect(journalPath({ ROTA_JOURNAL: "sqlite:/x/y.db" })).toBe("/x/y.db");
  expect(journalPath({ XDG_STATE_HOME: "/state" })).toBe("/state/rota/journal.db");
  expect(journalPath({})).toMatch(/\/\.local\/state\/rota\/journal\.db$/);
  expect(() => journalPath({ ROTA_JOURNAL: "mysql://x" })).toThrow("is not sqlite:/path/to/file");
});

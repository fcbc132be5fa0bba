import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openJournal, readJournal } from "../../src/journal/open.ts";

async function inFolder(
  work: (folder: string, env: { ROTA_JOURNAL: string }) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "rota-journal-"));
  try {
    await work(folder, { ROTA_JOURNAL: `sqlite:${join(folder, "deep/er/journal.db")}` });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("only its owner may read the file and enter its folder", () =>
  inFolder(async (folder, env) => {
    await using _ = await openJournal(env);
    expect((await stat(join(folder, "deep/er/journal.db"))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, "deep/er"))).mode & 0o777).toBe(0o700);
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
    await expect(openJournal({ ROTA_JOURNAL: `sqlite:${path}` })).rejects.toMatchObject({
      code: "JOURNAL",
      message: expect.stringContaining(path),
      next: expect.stringContaining("ROTA_JOURNAL=sqlite:"),
    });
    await writeFile(join(folder, "file"), "");
    const below = openJournal({ ROTA_JOURNAL: `sqlite:${folder}/file/journal.db` });
    await expect(below).rejects.toMatchObject({ code: "JOURNAL" });
  }));

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "rota-unit-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const text = readFileSync(join(import.meta.dirname, "../../docs/rota-console.service"), "utf8");
const unit = join(folder, "rota-console.service");
writeFileSync(
  unit,
  text.replace("/usr/local/bin/rota", "/bin/true").replace("man:rota(1)", "https://rota.example.net"),
);

const analyze = (...words: string[]): string =>
  execFileSync("systemd-analyze", [...words, unit], { encoding: "utf8" });

test("the unit of the console has no fault, and is open to little", () => {
  expect(analyze("verify")).toBe("");
  const [, exposure] = /exposure level for \S+: ([\d.]+)/.exec(analyze("security", "--offline=yes")) ?? [];
  expect(Number(exposure)).toBeLessThan(2);
});

test("what it begins outlives it, and the processes of others can be seen: leases are judged by them", () => {
  expect(text).toMatch(/^KillMode=process$/m);
  expect(text).not.toMatch(/^(ProtectProc|ProcSubset|PrivateUsers|MemoryDenyWriteExecute)=/m);
});

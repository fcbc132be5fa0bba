/** A lab ends with the program that started it, whatever ended that. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import { runs } from "./family.ts";
import { waitFor } from "./wait.ts";

const root = join(import.meta.dirname, "../..");

test("a lab whose program was killed leaves no process and no file", async () => {
  const program = `
    import { startLab } from "${root}/test/lab/lab.ts";
    const { folder, pids } = await startLab({ nodes: 1, balancers: 1, workers: 1, bootSeconds: 0 });
    console.log(JSON.stringify({ folder, pids: pids() }));
    setInterval(() => {}, 1_000);
  `;
  const words = ["--import", "tsx", "--input-type=module", "--eval", program];
  const child = spawn(process.execPath, words, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  const [line]: unknown[] = await once(child.stdout, "data");
  const { folder, pids }: { folder: string; pids: number[] } = JSON.parse(String(line));
  expect(pids.filter(runs).length).toBeGreaterThan(3);
  child.kill("SIGKILL");
  await waitFor("the lab to end", 20_000, async () => {
    const left = pids.filter(runs);
    return left.length > 0 || existsSync(folder) ? notYet(`left: ${left.join(", ")}`) : yes(undefined);
  });
});

test.each([
  ["Ctrl-C as soon as the lab has a process", "SIGINT", 1],
  ["SIGTERM to the script alone, when the lab runs", "SIGTERM", 8],
] as const)("scripts/chaos that is ended leaves no process and no file: %s", async (_when, signal, pids) => {
  const place = mkdtempSync(join(tmpdir(), "c-"));
  chmodSync(place, 0o711); // for PostgreSQL's user
  const env = { ...process.env, TMPDIR: place };
  // Only the kills: vitest begins with whatever took longest the last time.
  const words = ["matrix", "-t", "killed"];
  const chaos = spawn(join(root, "scripts/chaos"), words, { env, stdio: "ignore", detached: true });
  const ended = once(chaos, "exit");
  onTestFinished(async () => {
    chaos.kill(); // where the test failed before it did
    await ended;
    rmSync(place, { recursive: true, force: true });
  });
  await waitFor("the lab", 30_000, async () => {
    const running = markedWith(place, "ROTA_LAB=").length;
    return running >= pids ? yes(undefined) : notYet(`${running} processes`);
  });
  process.kill(signal === "SIGINT" ? -(chaos.pid ?? 0) : (chaos.pid ?? 0), signal);
  expect(await ended).toEqual([signal === "SIGINT" ? 130 : 143, null]);
  expect(readdirSync(place)).toEqual([]);
  await waitFor("all to be gone", 1_000, async () => {
    const left = markedWith(place);
    return left.length > 0 ? notYet(`left: ${left.join(", ")}`) : yes(undefined);
  });
});

/** Ids of the processes with a variable that begins so, and has the place in it. */
const markedWith = (place: string, start = ""): number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && runs(Number(name)))
    .map(Number)
    .filter((pid) =>
      environmentOf(pid).some((variable) => variable.startsWith(start) && variable.includes(place)),
    );

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return []; // it has ended, or is somebody else's
  }
}

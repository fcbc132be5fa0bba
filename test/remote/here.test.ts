import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { thisMachineIn } from "../../src/remote/here.ts";
import type { Outcome } from "../../src/rotation/ports.ts";
import { runs } from "../lab/family.ts";

const calm = new AbortController().signal;

async function ran(
  script: string,
  {
    variables = {},
    within = 10_000,
    signal = calm,
  }: { variables?: Record<string, string>; within?: number; signal?: AbortSignal } = {},
): Promise<{ outcome: Outcome; lines: string[] }> {
  const folder = await mkdtemp(join(tmpdir(), "rota-here-"));
  const lines: string[] = [];
  const here = thisMachineIn(folder, { PATH: process.env["PATH"], LIVES_HERE: "yes" });
  try {
    const options = {
      variables,
      within,
      signal,
      onOutput: ({ text }: { text: string }) => void lines.push(text),
    };
    return { outcome: await here.run(script, options), lines };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("values reach a command as environment, whatever is in them", async () => {
  const value = `'"; $(touch x) \`id\`\n--`;
  const { outcome, lines } = await ran('printf "%s\\n" "$VALUE" "$LIVES_HERE"; ls', {
    variables: { VALUE: value },
  });
  expect(outcome).toEqual({ kind: "done" });
  expect(lines).toEqual([...value.split("\n"), "yes"]);
});

test("it stops at the first failing command, and at a variable that is not set", async () => {
  expect((await ran("false; echo on")).outcome).toEqual({ kind: "failed", why: "exit code 1" });
  expect((await ran('echo "$NOBODY"')).outcome.kind).toBe("failed");
  expect((await ran("kill -9 $$")).outcome).toEqual({ kind: "failed", why: "killed by SIGKILL" });
});

test("at its limit it is ended, also where it will not listen, with all that it started", async () => {
  const { outcome, lines } = await ran("trap '' TERM; sleep 60 & echo $!; wait; sleep 60", { within: 300 });
  expect(outcome).toEqual({ kind: "failed", why: "still running after 300ms, and ended" });
  await vi.waitUntil(() => !runs(Number(lines[0])));
});

test("stopped before, it is not begun; stopped meanwhile, it is ended", async () => {
  expect((await ran("echo on", { signal: AbortSignal.abort() })).lines).toEqual([]);
  const stop = new AbortController();
  const running = ran("echo on; sleep 60", { signal: stop.signal });
  setTimeout(() => stop.abort(), 200);
  expect((await running).outcome).toEqual({ kind: "failed", why: "stopped" });
});

test("what it leaves running in the background keeps nobody waiting", async () => {
  const began = performance.now();
  expect((await ran("(sleep 4) & echo started")).outcome).toEqual({ kind: "done" });
  expect(performance.now() - began).toBeLessThan(3_500);
});

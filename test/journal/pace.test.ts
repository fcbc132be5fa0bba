import { expect, test } from "vitest";
import { pace } from "../../src/journal/pace.ts";
import { fakeClock } from "../fakes/clock.ts";

const disk = 10;

/** Commits one after the other, each of which takes the disk so long; how long each waited for its turn. */
async function commits(count: number, between: number): Promise<number[]> {
  const clock = fakeClock();
  const { signal } = new AbortController();
  const paced = pace(clock);
  const waits = [];
  for (let i = 0; i < count; i += 1) {
    const asked = clock.now();
    await paced.turn();
    waits.push(clock.now() - asked);
    await paced.spend(() => clock.sleep(disk, signal));
    await clock.sleep(between, signal);
  }
  return waits;
}

test("what one node writes, on a slow disk, is not held up", async () => {
  expect(await commits(3, 0)).toEqual([0, 0, 0]);
  expect(Math.max(...(await commits(60, 100)))).toBe(0);
});

test("where many write, the disk is waited for during a fifth of the time, and nobody waits for long", async () => {
  const waits = await commits(100, 0);
  expect(Math.max(...waits)).toBeLessThanOrEqual(50);
  const whole = waits.reduce((sum, wait) => sum + wait, 0) + 100 * disk;
  expect((100 * disk) / whole).toBeLessThan(0.22);
});

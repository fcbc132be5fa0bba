import { expect, test } from "vitest";
import type { Clock } from "../../src/base/clock.ts";
import type { Message, Picture } from "../../src/console/changes.ts";
import { startFeed } from "../../src/console/feed.ts";
import { messageIn, nodeView, picture } from "./parts.ts";

/** Time that a test lets pass. */
function handClock() {
  let [now, sleepers] = [0, new Set<{ until: number; wake: () => void }>()];
  const clock: Clock = {
    now: () => now,
    today: () => new Date(now),
    sleep: (ms, signal) =>
      new Promise((wake) => {
        if (signal?.aborted) return wake();
        const sleeper = { until: now + ms, wake };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", () => sleepers.delete(sleeper) && wake());
      }),
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    clock,
    pass: async (ms: number): Promise<void> => {
      const end = now + ms;
      await turn();
      for (;;) {
        const next = [...sleepers]
          .filter(({ until }) => until <= end)
          .toSorted((a, b) => a.until - b.until)[0];
        if (!next) break;
        now = next.until;
        sleepers.delete(next);
        next.wake();
        await turn();
      }
      now = end;
    },
  };
}

function watched(look: () => Promise<Picture>) {
  const { clock, pass } = handClock();
  let looks = 0;
  const begun: Message["begun"] & object = [];
  const feed = startFeed({ look: () => (looks++, look()), begun: () => begun }, clock);
  const heard: Message[] = [];
  return {
    feed,
    pass,
    heard,
    begun,
    looks: () => looks,
    listen: () => feed.watch((frame) => heard.push(messageIn(frame))),
  };
}

test("many pages share one look; each is told the whole at first, then what changes", async () => {
  let now = picture([nodeView("web1")]);
  const seen = watched(async () => now);
  await seen.pass(10);
  for (let i = 0; i < 200; i++) seen.listen();
  await seen.pass(100);
  const before = seen.looks();
  expect(seen.heard).toHaveLength(200);
  expect(seen.heard.every(({ whole, nodes }) => whole && nodes?.length === 1)).toBe(true);
  now = picture([nodeView("web1", { note: "held" })]);
  await seen.pass(600);
  expect(seen.heard).toHaveLength(400);
  expect(seen.heard.at(-1)).toEqual({ nodes: [nodeView("web1", { note: "held" })] });
  expect(seen.looks() - before).toBeLessThanOrEqual(3);
  await seen.feed[Symbol.asyncDispose]();
});

test("a small fleet is looked at so often that a change shows within half a second, a large one once a second", async () => {
  for (const [nodes, most] of [
    [10, 450],
    [500, 1_050],
  ] as const) {
    const seen = watched(async () => picture(Array.from({ length: nodes }, (_, i) => nodeView(`web${i}`))));
    const unwatch = seen.listen();
    await seen.pass(10_000); // the first look costs what a program's beginning costs
    const before = seen.looks();
    await seen.pass(10_000);
    expect(10_000 / (seen.looks() - before)).toBeLessThan(most);
    if (nodes > 100) expect(10_000 / (seen.looks() - before)).toBeGreaterThanOrEqual(1_000);
    unwatch();
    const alone = seen.looks();
    await seen.pass(10_000);
    expect(seen.looks() - alone).toBeLessThanOrEqual(6);
    await seen.feed[Symbol.asyncDispose]();
  }
});

test("what was done is seen at once, and many deeds do not make many looks", async () => {
  const seen = watched(async () => picture([nodeView("web1")]));
  await seen.pass(10);
  for (let i = 0; i < 50; i++) {
    seen.feed.hurry();
    await seen.pass(1);
  }
  await seen.pass(100);
  expect(seen.looks()).toBeGreaterThanOrEqual(2);
  expect(seen.looks()).toBeLessThanOrEqual(4);
  await seen.feed[Symbol.asyncDispose]();
});

test("a look that fails is said once, ages, and is over when one succeeds; what was begun is told all the same", async () => {
  let fault: Error | undefined = new Error("the journal is gone");
  const seen = watched(async () => {
    if (fault) throw fault;
    return picture([nodeView("web1")]);
  });
  seen.listen();
  await seen.pass(3_000);
  expect(seen.heard.filter(({ trouble }) => trouble !== undefined)).toEqual([
    { trouble: "the journal is gone" },
  ]);
  expect(seen.feed.age()).toBeGreaterThanOrEqual(3_000);
  seen.begun.push({ id: "1", by: "ann", what: "drain web1", at: "now" });
  await seen.pass(1_000);
  expect(seen.heard.at(-1)).toEqual({ begun: seen.begun });
  fault = undefined;
  await seen.pass(1_000);
  expect(seen.heard.at(-1)).toMatchObject({ trouble: null, names: ["web1"] });
  await seen.feed[Symbol.asyncDispose]();
});

import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Clock } from "../../src/base/clock.ts";
import type { Activity } from "../../src/rotation/ports.ts";
import { quietFor } from "../../src/rotation/quiet.ts";
import { poll } from "../../src/base/poll.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeSite } from "../fakes/site.ts";

interface HandClock extends Clock {
  pass(milliseconds: number): void;
}

function handClock(): HandClock {
  let now = 1_000;
  return {
    now: () => now,
    today: () => new Date(now),
    sleep: () => Promise.resolve(),
    pass: (milliseconds) => void (now += milliseconds),
  };
}

const idle: Activity = {
  balancer: "lb1",
  backend: "app",
  server: "web1",
  process: 1,
  out: true,
  status: "DRAIN",
  sessions: 0,
  queued: 0,
  total: 7,
  retried: 0,
  health: undefined,
};

/** Looks `count` times, with `ms` before each but the first; what the last look says. */
function lookAt(seen: (Partial<Activity> | Partial<Activity>[])[], ms: number): boolean[] {
  const clock = handClock();
  const quiet = quietFor(clock);
  return seen.map((parts, i) => {
    if (i > 0) clock.pass(ms);
    const places = Array.isArray(parts) ? parts : [parts];
    return quiet(places.map((part) => ({ ...idle, ...part }))).done;
  });
}

const no = false;
const times = (count: number, part: Partial<Activity> = {}) => Array.from({ length: count }, () => part);

test("nothing for 250 ms is quiet, and not a moment before", () => {
  expect(lookAt(times(6), 50)).toEqual([no, no, no, no, no, true]);
  expect(lookAt(times(3), 124)).toEqual([no, no, no]);
  expect(lookAt(times(3), 125)).toEqual([no, no, true]);
});

test("two looks are too few, however far apart", () => {
  expect(lookAt(times(3), 10_000)).toEqual([no, no, true]);
});

test("a window is looked at four times, and the last look is at its end", async () => {
  const clock = fakeClock();
  const quiet = quietFor(clock);
  const { signal } = new AbortController();
  await poll({ what: "quiet", every: 25, within: 5_000, clock, signal, probe: async () => quiet([idle]) });
  expect(clock.slept).toEqual([100, 100, 50]);
});

const disturbances: [what: string, part: Partial<Activity>][] = [
  ["a session", { sessions: 1 }],
  ["a request that waits in the queue", { queued: 1 }],
  ["a balancer that is not told any more", { out: false }],
];

test.each(disturbances)("%s starts the wait anew", (_, part) => {
  // The look at which it was busy is none of the three.
  expect(lookAt([...times(2), part, ...times(3)], 125)).toEqual([no, no, no, no, no, true]);
});

const changes: [what: string, part: Partial<Activity>][] = [
  ["a request that came and went between two looks", { total: 8 }],
  ["another process, which knows nothing of the drain", { process: 2 }],
  ["a counter that begins anew", { total: 0 }],
];

test.each(changes)("%s starts the wait anew", (_, part) => {
  expect(lookAt([...times(2), ...times(4, part)], 125)).toEqual([no, no, no, no, true, true]);
});

test("a request that is being tried again is in no counter: its pause of a second is waited out after the last try", () => {
  const seen = lookAt([...times(2), ...times(6, { retried: 1 })], 300);
  expect(seen).toEqual([no, no, no, no, no, no, true, true]);
});

test("where requests were ever tried again one pause between two tries is watched, for one may be in it", () => {
  expect(lookAt(times(6, { retried: 3 }), 300)).toEqual([no, no, no, no, true, true]);
});

test("who was seen before it left need not be watched for a pause again, unless one was tried since, or the worker is new", () => {
  const looks = (part: Partial<Activity>): number => {
    const clock = handClock();
    const known = { at: clock.now(), seen: [{ ...idle, retried: 3, total: 2 }] };
    clock.pass(1_000);
    const quiet = quietFor(clock, known);
    for (let count = 1; ; count += 1, clock.pass(125)) if (quiet([{ ...idle, ...part }]).done) return count;
  };
  expect(looks({ retried: 3 })).toBe(3);
  expect(looks({ retried: 4 })).toBe(11);
  expect(looks({ retried: 3, process: 2 })).toBe(11);
});

test("a look counts from its beginning: one balancer may have answered long before the last", () => {
  const clock = handClock();
  const quiet = quietFor(clock);
  const look = (lasts: number): boolean => {
    const asked = clock.now();
    clock.pass(lasts);
    return quiet([idle], [], asked).done;
  };
  expect([look(0), look(0), look(300), look(0)]).toEqual([no, no, no, true]);
});

test("counters that were cleared may hide a try: a pause is watched", () => {
  expect(lookAt([...times(2, { retried: 3 }), ...times(5)], 300)).toEqual([no, no, no, no, no, no, true]);
});

test("a try at one place is not hidden by another place that counts anew", () => {
  const before = [{ retried: 5 }, { retried: 0 }];
  const after = [{ retried: 0 }, { retried: 1 }];
  expect(lookAt([before, before, after, after, after, after], 500)).toEqual([no, no, no, no, no, true]);
});

test("every place counts: quiet at one and a session at the other is not quiet", () => {
  expect(
    lookAt(
      Array.from({ length: 5 }, () => [{}, { balancer: "lb2", sessions: 1 }]),
      125,
    ),
  ).toEqual([no, no, no, no, no]);
});

test("what is left is said by balancer", () => {
  const quiet = quietFor(handClock());
  const seen = [
    { ...idle, sessions: 6 },
    { ...idle, backend: "admin", sessions: 1, queued: 2 },
    { ...idle, balancer: "lb2", sessions: 3 },
  ];
  expect(quiet(seen)).toEqual({ done: false, saw: "10 sessions left (lb1: 7, lb2: 3), 2 queued" });
});

const place = fc.record({
  sessions: fc.constantFrom(0, 0, 0, 0, 1),
  queued: fc.constantFrom(0, 0, 0, 0, 1),
  out: fc.constantFrom(true, true, true, true, false),
  total: fc.constantFrom(7, 7, 7, 7, 8),
  retried: fc.constantFrom(0, 0, 0, 0, 1),
  process: fc.constantFrom(1, 1, 1, 1, 2),
});
const look = fc.record({ ms: fc.integer({ min: 0, max: 200 }), places: fc.tuple(place, place) });

test("whatever is seen, it is never quiet within 250 ms after the last change, nor within a pause after a try", () => {
  fc.assert(
    fc.property(fc.array(look, { maxLength: 60 }), (looks) => {
      const clock = handClock();
      const quiet = quietFor(clock);
      let before: Partial<Activity>[] | undefined;
      let changedAt = clock.now();
      let triedAt = -Infinity;
      for (const { ms, places } of looks) {
        clock.pass(ms);
        const now = clock.now();
        const isNew = places.some(
          (at, i) => !before || at.total !== before[i]?.total || at.process !== before[i]?.process,
        );
        if (isNew || places.some((at) => at.sessions || at.queued || !at.out)) changedAt = now;
        if (before && places.some((at, i) => at.retried > (before?.[i]?.retried ?? 0))) triedAt = now;
        before = places;
        const { done } = quiet(places.map((at) => ({ ...idle, ...at })));
        if (done) expect([now - changedAt >= 250, now - triedAt >= 1_200]).toEqual([true, true]);
      }
    }),
    { numRuns: 500 },
  );
});

const deploy = ["deploy", "web1", "--set", "RELEASE=2", "--json"] as const;

test.concurrent(
  "a balancer that reloads during settle is told again before the node is touched",
  async () => {
    await using site = await fakeSite();
    const lb2 = site.balancer("lb2");
    site.whenWaiting("web1", /quiet moment/, () => lb2.reload());
    let stateAtUpgrade = "";
    site.atStep("web1", "upgrade", () => (stateAtUpgrade = site.stateOf("web1")));
    const { code, err, events } = await site.rota(...deploy);
    expect(code, err).toBe(0);
    expect(stateAtUpgrade).toBe("drain");
    const notices = events.flatMap((event) => (event.type === "notice" ? [event.text] : []));
    expect(notices).toEqual([
      expect.stringMatching(/^lb2\/app \(UP.*\) no longer has web1 out; told again$/),
    ]);
    const told = lb2.lines.filter((line) => line.includes("web1 state drain"));
    expect(told.length).toBeGreaterThanOrEqual(2);
  },
);

test.concurrent.for(["upgrade", "restart", "check"] as const)(
  "a balancer that reloads during %s is told again at once, and the node is proven all the same",
  async (step) => {
    await using site = await fakeSite({
      pool: { upgrade: "sleep 1.5", restart: { run: "sleep 1.5" }, check: { times: 60 } },
    });
    const lb2 = site.balancer("lb2");
    site.atStep("web1", step, () => setTimeout(() => lb2.reload(), 400));
    const { code, err, events } = await site.rota(...deploy);
    expect(code, err).toBe(0);
    const at = events.findIndex((event) => event.type === "notice" && event.text.endsWith("told again"));
    expect(events[at]).toMatchObject({ text: "lb2/app/web1 no longer has web1 out; told again" });
    const ended = events.findIndex((event) => event.type === "step ended" && event.step === step);
    expect(at).toBeGreaterThan(0);
    expect(at).toBeLessThan(ended);
    expect(site.stateOf("web1")).toBe("ready");
  },
);

test.concurrent("a balancer that does not answer for a moment during settle is asked again", async () => {
  await using site = await fakeSite();
  site.atStep("web1", "settle", () => site.balancer("lb2").next("close", "reset", "cut"));
  const { code, err, events } = await site.rota(...deploy);
  expect(code, err).toBe(0);
  const saw = events.flatMap((event) => (event.type === "waiting" ? [event.saw] : []));
  expect(saw.join("\n")).toMatch(/lb2: the connection was closed/);
});

test.concurrent("a balancer that takes no drain is not waited for: the node goes back as found", async () => {
  await using site = await fakeSite();
  site.balancer("lb2").server("app", "web1").ignoresState = true;
  const { code, err } = await site.rota(...deploy);
  expect(code).toBe(1);
  expect(err).toContain("lb2: app/web1 was told drain and is ready");
  expect(err).toContain("web1 is as it was found");
  expect(site.stateOf("web1")).toBe("ready");
  await using journal = await site.journal();
  expect(await journal.absences("fake")).toEqual(new Map());
});

test("requests of a worker that a reload replaced are waited for, and named; a new one there starts the wait anew", () => {
  const clock = handClock();
  const quiet = quietFor(clock);
  const old = { ...idle, process: 9 };
  expect(quiet([idle], [{ ...old, sessions: 1 }])).toMatchObject({
    saw: "lb1/app/web1 (old worker 9): 1 session",
  });
  clock.pass(1_000);
  expect(quiet([{ ...idle, sessions: 2 }], [{ ...old, sessions: 1, queued: 1 }])).toMatchObject({
    saw: "2 sessions left (lb1: 2); lb1/app/web1 (old worker 9): 2 sessions",
  });
  const looks = [[old], [old], [old], [{ ...old, total: 8 }], [], [], []].map((left) => {
    clock.pass(125);
    return quiet([idle], left).done;
  });
  expect(looks).toEqual([no, no, true, no, no, true, true]);
});

test("a retry that a new worker counts is one, however many the one before had counted", () => {
  const retried = [{ retried: 7 }, ...times(7, { process: 2, retried: 1 })];
  expect(lookAt(retried, 200)).toEqual([no, no, no, no, no, no, no, true]);
});

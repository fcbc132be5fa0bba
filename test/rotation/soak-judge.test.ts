import { expect, test } from "vitest";
import { chanceOf } from "../../src/rotation/soak/fisher.ts";
import type { Tally } from "../../src/rotation/ports.ts";
import { type Traffic, judge, trafficOf } from "../../src/rotation/soak/judge.ts";
import { type Watched, answerMsAt, counted, trafficAt } from "../../src/rotation/soak/watch.ts";

const traffic = (requests: number, failed: number, more: Partial<Traffic> = {}): Traffic => ({
  requests,
  failed,
  errors: failed,
  retried: 0,
  abandoned: 0,
  ...more,
});

const verdictOn = (own: Traffic, other?: Traffic, atEnd = true) =>
  judge(own, other && { who: "its neighbours web2, web3", traffic: other }, { nodes: 1, atEnd });

test("Fisher's exact test gives what its tables give", () => {
  // The lady who tasted tea: all four right of eight cups.
  expect(chanceOf({ failed: 4, of: 4 }, { failed: 0, of: 4 })).toBeCloseTo(1 / 70, 12);
  expect(chanceOf({ failed: 3, of: 4 }, { failed: 1, of: 4 })).toBeCloseTo(17 / 70, 12);
  expect(chanceOf({ failed: 0, of: 10 }, { failed: 3, of: 10 })).toBeCloseTo(1, 9);
  expect(chanceOf({ failed: 12, of: 840 }, { failed: 1, of: 1_702 })).toBeLessThan(0.000_02);
  // Large counts: both groups alike, so about one half.
  const half = chanceOf({ failed: 50_000, of: 1_000_000 }, { failed: 50_000, of: 1_000_000 });
  expect(half).toBeGreaterThan(0.49);
  expect(half).toBeLessThan(0.51);
});

test("a canary that fails more often than its neighbours is worse, and the numbers are said", () => {
  expect(verdictOn(traffic(840, 12, { errors: 10 }), traffic(1_702, 1))).toEqual({
    kind: "worse",
    text: "12 of 840 requests failed (1.4 %, 10 of them answered 5xx); its neighbours web2, web3: 1 of 1,702 (0.059 %)",
  });
});

test("a canary that is as good as its neighbours is good, and that is said shortly", () => {
  expect(verdictOn(traffic(840, 0), traffic(1_702, 1))).toEqual({
    kind: "good",
    text: "840 requests, 0 failed; its neighbours web2, web3: 1 of 1,702",
  });
  expect(verdictOn(traffic(1_000, 50), traffic(3_000, 150)).kind).toBe("good"); // an app that fails often, as always
});

test("a few failures are noise, and so is a rate that is hardly higher", () => {
  expect(verdictOn(traffic(500, 4), traffic(50_000, 0)).kind).toBe("good");
  expect(verdictOn(traffic(100_000, 1_900), traffic(300_000, 3_000)).kind).toBe("good"); // 1.9 times
  expect(verdictOn(traffic(100_000, 2_100), traffic(300_000, 3_000)).kind).toBe("worse");
});

test("silence is not good", () => {
  expect(verdictOn(traffic(0, 0), traffic(0, 0)).kind).toBe("inconclusive");
  expect(verdictOn(traffic(99, 0), traffic(5_000, 0))).toEqual({
    kind: "inconclusive",
    text: "99 requests, 0 failed; its neighbours web2, web3: 0 of 5,000; it takes 100 requests to tell",
  });
  expect(verdictOn(traffic(60, 20), traffic(200, 0)).kind).toBe("worse"); // few, and bad enough
});

test("tries of connections and clients that go away are compared too", () => {
  expect(verdictOn(traffic(900, 0, { retried: 30 }), traffic(2_000, 0)).text).toContain(
    "30 of 900 requests were tried again (3.3 %)",
  );
  expect(verdictOn(traffic(900, 0, { abandoned: 30 }), traffic(2_000, 0, { abandoned: 60 })).kind).toBe(
    "good",
  );
  expect(verdictOn(traffic(900, 0, { abandoned: 30 }), traffic(2_000, 0)).text).toContain(
    "given up by their clients",
  );
});

test("with nothing to compare with only what is plain is said", () => {
  expect(verdictOn(traffic(840, 3)).text).toBe("840 requests, 3 failed; nothing to compare with");
  expect(verdictOn(traffic(840, 3)).kind).toBe("good");
  expect(verdictOn(traffic(840, 20)).kind).toBe("inconclusive");
  expect(verdictOn(traffic(840, 60)).kind).toBe("worse");
  expect(verdictOn(traffic(840, 20), traffic(50, 1)).kind).toBe("inconclusive"); // its neighbours were idle
});

test("before the end only what is beyond doubt ends a soak", () => {
  expect(verdictOn(traffic(200, 8), traffic(600, 1), true).kind).toBe("worse");
  expect(verdictOn(traffic(200, 8), traffic(600, 1), false).kind).not.toBe("worse");
  expect(verdictOn(traffic(200, 60), traffic(600, 1), false).kind).toBe("worse");
});

const counts = {
  sent: 0,
  running: 0,
  answered: 0,
  errors: 0,
  refused: 0,
  cut: 0,
  abandoned: 0,
  retried: 0,
  failedChecks: 0,
  downs: 0,
};

test("a request that was killed on a reused connection is in no counter, and is found", () => {
  // 100 given, 2 run, 3 tried again, 90 answered, 1 given up: 4 ended with nothing.
  const seen = trafficOf({ ...counts, sent: 100, running: 2, retried: 3, answered: 90, abandoned: 1 }, true);
  expect(seen).toMatchObject({ requests: 95, failed: 4, errors: 0 });
  expect(trafficOf({ ...counts, sent: 100, answered: 100, errors: 7, cut: 2 }, true).failed).toBe(9);
  expect(trafficOf({ ...counts, sent: 100, refused: 3, cut: 2 }, false)).toMatchObject({
    requests: 100,
    failed: 5,
  });
});

/** Mulberry32: the same numbers on every machine. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function failuresIn(requests: number, rate: number, random: () => number): number {
  if (rate === 0) return 0;
  let failed = 0;
  // From one failure to the next: the gaps are geometric, and few numbers are drawn.
  for (let at = -1; ; failed++) {
    at += 1 + Math.floor(Math.log(1 - random()) / Math.log(1 - rate));
    if (at >= requests) return failed;
  }
}

const soaks = (rate: number, worse: number, random: () => number, times: number): number => {
  let bad = 0;
  for (let i = 0; i < times; i++) {
    const requests = 100 + Math.floor(random() * 4_000);
    const beside = requests * (1 + Math.floor(random() * 6));
    const own = traffic(requests, failuresIn(requests, rate * worse, random));
    if (verdictOn(own, traffic(beside, failuresIn(beside, rate, random))).kind === "worse") bad += 1;
  }
  return bad;
};

test.each([0, 0.0001, 0.001, 0.01, 0.05])(
  "where both fail at a rate of %f, less than one soak in a thousand is called worse",
  (rate) => {
    expect(soaks(rate, 1, seeded(42), 20_000)).toBeLessThan(20);
  },
);

test("what is five times as bad is seen nearly always, given some requests", () => {
  const random = seeded(7);
  let seen = 0;
  for (let i = 0; i < 1_000; i++) {
    const own = traffic(2_000, failuresIn(2_000, 0.02, random));
    if (verdictOn(own, traffic(4_000, failuresIn(4_000, 0.004, random))).kind === "worse") seen += 1;
  }
  expect(seen).toBeGreaterThan(950);
});

const tally = (part: Partial<Tally["counts"]>, process = 1): Tally => ({
  balancer: "lb1",
  backend: "app",
  server: "web1",
  process,
  status: "UP",
  http: true,
  counts: { ...counts, ...part },
  answerMs: 3,
});

const watching = (...looks: Tally[]): Watched[] =>
  looks.reduce<Watched[]>((before, look) => counted(before, [look]).watched, []);

test("a request that runs at the first look, answered or not, is never taken for failed", () => {
  const first = tally({ sent: 10, answered: 10, running: 2 }); // both have their headers, and no end yet
  expect(trafficAt(watching(first, tally({ sent: 210, answered: 210 })))).toMatchObject({
    requests: 200,
    failed: 0,
  });
  const hanging = tally({ sent: 10, answered: 8, running: 2 });
  expect(trafficAt(watching(hanging, tally({ sent: 210, answered: 210 }))).failed).toBe(0);
});

test("after a reload counting goes on with the new worker, and what the old one had is kept", () => {
  const looks = [
    tally({ sent: 1_000, answered: 1_000 }),
    tally({ sent: 1_100, answered: 1_090, errors: 7, running: 10 }),
    tally({ sent: 50, answered: 50 }, 2), // before this look the new one was given some, which nobody counts
    tally({ sent: 150, answered: 150, errors: 3 }, 2),
  ];
  expect(trafficAt(watching(...looks))).toMatchObject({ requests: 190, failed: 10, errors: 10 });
  expect(counted(watching(...looks.slice(0, 2)), looks.slice(2, 3)).reloaded).toEqual(["lb1"]);
  expect(counted(watching(tally({ sent: 9 }, 0)), [tally({ sent: 2 }, 0)]).reloaded).toEqual(["lb1"]); // a page
});

test("the time to an answer is said only where all that it is the mean of came meanwhile", () => {
  expect(answerMsAt(watching(tally({ sent: 10 }), tally({ sent: 1_033 })))).toBeUndefined();
  expect(answerMsAt(watching(tally({ sent: 10 }), tally({ sent: 1_034 })))).toBe(3);
  expect(
    answerMsAt(watching(tally({ sent: 10 }), tally({ sent: 2_000 }), tally({ sent: 9 }, 2))),
  ).toBeUndefined();
});

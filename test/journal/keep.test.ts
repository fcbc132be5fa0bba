import { expect, test } from "vitest";
import type { Clock } from "../../src/base/clock.ts";
import type { OpenJournal } from "../../src/journal/journal.ts";
import { keepLease } from "../../src/journal/keep.ts";

/** A clock that stands where it is put, and a journal that renews or doesn't, as told. */
function fake() {
  const time = { monotonic: 0, wall: 1_000_000 };
  const clock: Clock = {
    now: () => time.monotonic,
    today: () => new Date(time.wall),
    sleep: () => Promise.resolve(),
  };
  const asked: string[] = [];
  const said = { renew: async (): Promise<boolean> => true, holds: async (): Promise<boolean> => true };
  // Only what keeping a lease needs.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const journal = {
    renew: () => {
      asked.push("renew");
      return said.renew();
    },
    holds: () => {
      asked.push("holds");
      return said.holds();
    },
    release: async () => {
      asked.push("release");
      return true;
    },
    under: () => ({}),
  } as unknown as OpenJournal;
  return { time, clock, asked, said, journal };
}

test("each act asks first, and somebody else's lease stops it at once, however young the last renewal", async () => {
  const { clock, asked, said, journal } = fake();
  await using lease = keepLease(journal, "shop", 7, clock);
  await lease.mustHold();
  expect(asked).toEqual(["holds"]);
  said.holds = async () => false; // rota unlock, a moment ago
  await expect(lease.mustHold()).rejects.toMatchObject({ code: "LEASE_LOST" });
});

test("a journal that does not answer for a moment stops no act of a holder that was sure just before", async () => {
  const { clock, said, journal, time } = fake();
  await using lease = keepLease(journal, "shop", 7, clock);
  time.monotonic += 5_000;
  time.wall += 5_000;
  said.holds = () => Promise.reject(new Error("connection refused"));
  await lease.mustHold();
});

test("an answer that was long on its way is no proof: it asks again", async () => {
  const { clock, asked, said, journal, time } = fake();
  await using lease = keepLease(journal, "shop", 7, clock);
  said.holds = async () => {
    time.wall += 60_000;
    return true;
  };
  said.renew = async () => false;
  await expect(lease.mustHold()).rejects.toMatchObject({ code: "LEASE_LOST" });
  expect(asked).toEqual(["holds", "renew"]);
});

test.each([
  ["a process that was stopped", { monotonic: 40_000, wall: 40_000 }],
  ["a laptop that slept, whose monotonic clock stood still", { monotonic: 10, wall: 600_000 }],
])("%s looks before it acts, and stops where the lease is somebody else's", async (_, away) => {
  const { clock, said, journal, time } = fake();
  await using lease = keepLease(journal, "shop", 7, clock);
  time.monotonic += away.monotonic;
  time.wall += away.wall;
  said.renew = async () => false;
  await expect(lease.mustHold()).rejects.toMatchObject({ code: "LEASE_LOST" });
  expect(lease.lost.aborted).toBe(true);
  said.renew = async () => true;
  await expect(lease.mustHold()).rejects.toMatchObject({ code: "LEASE_LOST" }); // lost is lost
});

test("a lease that is still ours after a pause is renewed, and the act goes on", async () => {
  const { clock, asked, journal, time } = fake();
  await using lease = keepLease(journal, "shop", 7, clock);
  time.wall += 20_000;
  await lease.mustHold();
  expect(asked).toEqual(["renew"]);
});

test("an act waits for a journal that can't be asked: it fails instead of going on unproven", async () => {
  const { clock, said, journal, time } = fake();
  await using lease = keepLease(journal, "shop", 7, clock);
  time.wall += 20_000;
  said.renew = () => Promise.reject(new Error("connection refused"));
  await expect(lease.mustHold()).rejects.toThrow("connection refused");
  expect(lease.lost.aborted).toBe(false);
});

test("a lease is given back at the end", async () => {
  const { clock, asked, journal } = fake();
  await keepLease(journal, "shop", 7, clock)[Symbol.asyncDispose]();
  expect(asked).toEqual(["release"]);
});

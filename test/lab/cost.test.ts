import { expect, test } from "vitest";
import type { Event } from "../../src/events/events.ts";
import { startLab, type Lab } from "./lab.ts";
import { startLoad } from "./load.ts";
import { runRota, type Ended } from "./rota.ts";

const [checkInterMs, quietWindow] = [500, 250];
const measured = ["web1", "web2"];

/**
 * What a rotation may cost: the floor (the same restart, and the boot), the rest of the last running request, the
 * quiet window and one interval of HAProxy's checks. All else is rota's own, and must be next to nothing.
 */
test("a rotation costs what the node needs and next to nothing more", { timeout: 240_000 }, async () => {
  await using lab = await startLab({ bootSeconds: 1, checkInterMs });
  await using load = await startLoad({
    urls: lab.balancers.map(({ url }) => url),
    perSecond: 200,
    maxSeconds: 200,
  });
  const inventory = await lab.inventory();
  const words = ["rotate", ...measured, "-i", inventory, "--set", "RELEASE=1", "--yes", "--json"];
  // In turn, so that both meet the machine in the same mood.
  const floors: number[] = [];
  const runs: Ended[] = [];
  for (let round = 0; round < 2; round += 1) {
    floors.push(...(await floorsOf(lab)));
    await lab.untilAllInRotation();
    runs.push(await runRota(lab, words));
  }
  expect(runs.map(({ code }) => code)).toEqual([0, 0]);
  await load.stop();

  const floor = median(floors);
  const trips = runs.flatMap(({ events }) => tripsIn(events));
  const others = trips.map(({ out, settle }) => out - floor - Math.max(settle, quietWindow) - checkInterMs);
  const startUps = runs.map(({ events, ms }) => ms - runMs(events));
  process.stdout.write(
    `floor ${said(floors)}; out ${said(trips.map(({ out }) => out))}; ` +
      `settle ${said(trips.map(({ settle }) => settle))}; all else ${said(others)}; start-up ${said(startUps)}\n`,
  );
  expect(trips).toHaveLength(2 * measured.length);
  // The best of each, and generous, for a machine that may be busy with something else.
  expect(Math.min(...others)).toBeLessThan(0.15 * floor);
  expect(Math.min(...startUps)).toBeLessThan(0.5 * floor);
});

async function floorsOf(lab: Lab): Promise<number[]> {
  const floors: number[] = [];
  for (const name of measured) floors.push(await lab.restartDirectly(lab.node(name)));
  return floors;
}

interface TripTime {
  out: number;
  settle: number;
}

const tripsIn = (events: Event[]): TripTime[] =>
  events.flatMap((event) => {
    if (event.type !== "node ended") return [];
    const settle = events.find(
      (one) => one.type === "step ended" && one.node === event.node && one.step === "settle",
    );
    return [{ out: event.outMs, settle: settle && "ms" in settle ? settle.ms : 0 }];
  });

const runMs = (events: Event[]): number =>
  Math.max(...events.map((event) => (event.type === "run ended" ? event.ms : 0)));

const median = (numbers: number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;

const said = (numbers: number[]): string => {
  const sorted = numbers.toSorted((a, b) => a - b).map((number) => Math.round(number));
  return `${sorted[0]}/${Math.round(median(numbers))}/${sorted.at(-1)} ms`;
};

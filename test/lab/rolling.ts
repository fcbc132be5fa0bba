/** A roll of gunicorn's workers while requests come, and what it cost. */
import type { LoadReport } from "./load-report.ts";
import { startLoad } from "./load.ts";
import { beats, type Rolled, type RollEvent } from "./rolled.ts";

export interface Rolling {
  code: number | null;
  events: RollEvent[];
  /** All lines, for a test that fails. */
  text: string;
  load: LoadReport;
  /** Workers in their loop that were not told to end, at the worst moment. Seen in /proc, not told by anybody. */
  fewestReady: number;
  mostProcesses: number;
  /** From the start of the roll to its end. */
  seconds: number;
  /** The mean of the workers that became ready. */
  bootSeconds: number;
  /** From BROKEN until no worker of the new release is left; the rest of the roll only fills their places. */
  secondsBroken: number;
}

export async function rollUnderLoad(gunicorn: Rolled, words: string[], perSecond = 60): Promise<Rolling> {
  await using load = await startLoad({ urls: [gunicorn.url], perSecond });
  const roll = gunicorn.roll(...words);
  let [fewestReady, mostProcesses] = [Infinity, 0];
  const watching = setInterval(() => {
    const workers = gunicorn.workers();
    const beating = workers.filter(beats);
    // Read after that: whoever was told to end in the meantime is not counted, nor who waits aside.
    const leaving = new Set(
      roll.events.filter(({ state = "" }) => ["leaving", "failed"].includes(state)).map(({ pid }) => pid),
    );
    fewestReady = Math.min(fewestReady, beating.filter((pid) => !leaving.has(pid)).length);
    mostProcesses = Math.max(mostProcesses, workers.length);
  }, 50);
  const { code, events, text, seconds } = await roll.ended;
  clearInterval(watching);
  const boots = events.filter(({ event, state }) => event === "worker" && state === "ready").map(sinceOf);
  const broke = events.find(({ event }) => event === "broken");
  return {
    code,
    events,
    text,
    seconds,
    fewestReady,
    mostProcesses,
    load: await load.stop(),
    bootSeconds: boots.reduce((sum, one) => sum + one, 0) / boots.length,
    secondsBroken: broke ? lastOfRenewed(events, broke) - broke.seconds : 0,
  };
}

const sinceOf = ({ since }: RollEvent): number => since ?? 0;

function lastOfRenewed(events: RollEvent[], broke: RollEvent): number {
  const renewed = events
    .filter((one) => one.new && one.state === "ready" && one.seconds <= broke.seconds)
    .map(({ pid }) => pid);
  const ends = events.filter(({ state, pid }) => state === "gone" && renewed.includes(pid));
  return Math.max(broke.seconds, ...ends.map(({ seconds }) => seconds));
}

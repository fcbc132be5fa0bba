/** A roll of an app server's workers while requests come, and what it cost. */
import { setTimeout as wait } from "node:timers/promises";
import type { LoadReport } from "./load-report.ts";
import { startLoad } from "./load.ts";
import type { Rolled, RollEvent, RollRun } from "./rolls.ts";

export interface Rolling {
  code: number | null;
  events: RollEvent[];
  /** All lines, for a test that fails. */
  text: string;
  load: LoadReport;
  /** Workers that take requests and were not told to end, at the worst moment. Seen, not told by anybody. */
  fewestReady: number;
  mostProcesses: number;
  /** From the start of the roll to its end. */
  seconds: number;
  /** The mean of the workers that became ready. */
  bootSeconds: number;
  /** From BROKEN until no worker of the new release is left; the rest of the roll only fills their places. */
  secondsBroken: number;
}

export async function rollUnderLoad(app: Rolled, words: string[], perSecond = 60): Promise<Rolling> {
  await using load = await startLoad({ urls: [app.url], perSecond });
  const roll = app.roll(...words);
  const watched = watch(app, roll);
  const { code, events, text, seconds } = await roll.ended;
  const { fewestReady, mostProcesses } = await watched;
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

async function watch(app: Rolled, roll: RollRun): Promise<Pick<Rolling, "fewestReady" | "mostProcesses">> {
  let [fewestReady, mostProcesses] = [Infinity, 0];
  while (roll.child.exitCode === null) {
    const accepting = await app.accepting();
    // Read after that: whoever was told to end in the meantime is not counted, nor who waits aside.
    const leaving = new Set(
      roll.events.filter(({ state = "" }) => ["leaving", "failed"].includes(state)).map(({ pid }) => pid),
    );
    fewestReady = Math.min(fewestReady, accepting.filter((pid) => !leaving.has(pid)).length);
    mostProcesses = Math.max(mostProcesses, app.workers().length);
    await wait(50);
  }
  return { fewestReady, mostProcesses };
}

const sinceOf = ({ since }: RollEvent): number => since ?? 0;

function lastOfRenewed(events: RollEvent[], broke: RollEvent): number {
  const renewed = events
    .filter((one) => one.new && one.state === "ready" && one.seconds <= broke.seconds)
    .map(({ pid }) => pid);
  const ends = events.filter(({ state, pid }) => state === "gone" && renewed.includes(pid));
  return Math.max(broke.seconds, ...ends.map(({ seconds }) => seconds));
}

/** Two kills of the matrix; all of it with CHAOS=full, as scripts/chaos does. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildProgram } from "../fakes/program.ts";
import { type Chaos, kills, startChaos, titleOf } from "./chaos.ts";

let chaos: Chaos | undefined;

beforeAll(async () => {
  await buildProgram();
  chaos = await startChaos();
}, 120_000);
afterAll(() => chaos?.[Symbol.asyncDispose]());

test.each(kills.map((kill) => [titleOf(kill), kill] as const))("%s", (_title, kill) => chaos?.survive(kill));

declare module "vitest" {
  interface TaskMeta {
    /** For the last line of scripts/chaos. */
    chaos?: { kills: number; sent: number; lost: number };
  }
}

test("no request was lost meanwhile", { retry: 0 }, async ({ task }) => {
  const report = await chaos?.load.stop();
  if (chaos && report) task.meta.chaos = { kills: chaos.killed(), sent: report.sent, lost: report.lost };
  expect(report).toMatchObject({ lost: 0, examples: [] });
});

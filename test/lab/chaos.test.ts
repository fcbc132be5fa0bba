/** Three kills of the matrix; all of it with CHAOS=full, as scripts/chaos does. */
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

test("no request was lost meanwhile", async () => {
  expect(await chaos?.load.stop()).toMatchObject({ lost: 0, examples: [] });
});

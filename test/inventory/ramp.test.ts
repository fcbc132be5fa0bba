import { expect, test } from "vitest";
import { faultsIn, fleetOf, withPool } from "./files.ts";

const ready = (text: string): string => withPool(`    ready: ${text}\n`);
const readyOf = (text: string) => fleetOf(withPool(text)).pools[0]?.ready;

test("a ramp is resolved to numbers; each step lasts 10 s unless said; without one there is none", () => {
  expect(readyOf("    ready: { ramp: [12.5%, 50%] }\n")).toEqual({
    proof: "pass",
    ramp: { percents: [12.5, 50], every: 10_000 },
  });
  expect(readyOf("    ready: { ramp: [50%], every: 2m }\n")?.ramp?.every).toBe(120_000);
  expect(readyOf("")).toEqual({ proof: "pass", ramp: undefined });
});

const page = "    drain: { via: status-page }\n    status_page: { out: touch x, in: rm x }\n";

test.each([
  [
    "the whole weight, which is always the last step",
    ready("{ ramp: [50%, 100%] }"),
    "6:26 pools.web.ready.ramp.1: the last step is always the whole weight, and is not written; write a percent below 100",
  ],
  [
    "steps that fall",
    ready("{ ramp: [50%, 25%] }"),
    "6:20 pools.web.ready.ramp: each step must be more than the one before",
  ],
  [
    "no step",
    ready("{ ramp: [] }"),
    "6:20 pools.web.ready.ramp: write a list of percents, such as [25%, 50%]",
  ],
  [
    "no list",
    ready("{ ramp: 50% }"),
    "6:20 pools.web.ready.ramp: write a list of percents, such as [25%, 50%]",
  ],
  [
    "every without a ramp",
    ready("{ every: 5s }"),
    "6:14 pools.web.ready.every: is how long each step of a ramp lasts, and there is no ramp",
  ],
  [
    "a ramp where nodes leave by their page",
    withPool(`${page}    ready: { ramp: [50%] }\n`),
    "8:14 pools.web.ready.ramp: can't be with drain: { via: status-page }: weights are set at HAProxy's runtime socket",
  ],
])("%s is refused with its line and column", (_, text, ...faults) => {
  expect(faultsIn(text)).toEqual(faults);
});

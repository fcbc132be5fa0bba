import fc from "fast-check";
import { expect, test } from "vitest";
import { nodeEnds, stepNames } from "../../src/events/events.ts";
import type { WholeRun } from "../../src/rotation/records.ts";
import { doneSteps, standingsOf } from "../../src/rotation/unfinished.ts";

const nodes = ["web1", "web2", "web3"];
const when = new Date(0);

/** Whatever a journal may hold of a run that was cut off, also what no run would write. */
const anyRun: fc.Arbitrary<WholeRun> = fc
  .record({
    steps: fc.array(
      fc.record({
        node: fc.constantFrom(...nodes),
        step: fc.constantFrom(...stepNames),
        ok: fc.constantFrom(true, false, undefined),
      }),
    ),
    trips: fc.uniqueArray(
      fc.record({
        node: fc.constantFrom(...nodes),
        outcome: fc.constantFrom(...nodeEnds),
        why: fc.constantFrom("it failed", undefined),
      }),
      { selector: ({ node }) => node },
    ),
  })
  .map(({ steps, trips }) => ({
    run: "abc123",
    command: "deploy",
    fleet: "shop",
    by: "eva",
    reason: undefined,
    set: {},
    nodes,
    args: {},
    started: when,
    ended: undefined,
    outcome: undefined,
    message: undefined,
    steps: steps.map((step) => ({ ...step, started: when, ended: undefined, why: undefined })),
    trips: trips.map((trip) => ({ ...trip, ended: when })),
    outputs: [],
    deeds: [],
  }));

test("of every run each node stands in one place, and one that is out is never called done", () => {
  fc.assert(
    fc.property(anyRun, (run) => {
      const { done, failed, halfDone, rest } = standingsOf(run);
      expect([...done, ...failed, ...halfDone, ...rest].toSorted()).toEqual(nodes);
      for (const { node, outcome } of run.trips) if (outcome === "out") expect(failed).toContain(node);
      for (const node of done) expect(run.trips.map((trip) => trip.node)).toContain(node);
    }),
  );
});

test("only what is known to have ended well is not done again, and a node is proven anew unless it was watched already", () => {
  fc.assert(
    fc.property(anyRun, fc.constantFrom(...nodes), fc.boolean(), (run, node, failed) => {
      const last = run.steps.findLast((step) => step.node === node)?.step;
      const back = last === "soak" || last === "ready";
      for (const step of doneSteps(run, node, failed)) {
        expect(run.steps).toContainEqual(expect.objectContaining({ node, step, ok: true }));
        const lasting = ["prepare", "upgrade", ...(failed ? [] : ["restart"]), ...(back ? ["ready"] : [])];
        expect(lasting).toContain(step);
      }
    }),
  );
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { type Picture, differences } from "../../src/console/changes.ts";
import { changed, nothing, sayMs } from "../../src/console/page/model.ts";
import { nodeView, picture, runView } from "./parts.ts";

const name = fc.constantFrom("web1", "web2", "web3", "__proto__", "constructor");
const node = fc
  .record({ name, note: fc.string(), mark: fc.constantFrom("✓", "✗") })
  .map(({ name: own, ...over }) => nodeView(own, over));
const nodes = fc.uniqueArray(node, { selector: (one) => one.name });
const run = fc.option(
  fc
    .record({ run: fc.constantFrom("a1", "b2"), message: fc.string(), nodes: fc.uniqueArray(name) })
    .map(({ nodes: names, ...over }) =>
      runView({
        ...over,
        nodes: names.map((own) => ({
          name: own,
          steps: [],
          saw: over.message,
          end: undefined,
          why: undefined,
        })),
      }),
    ),
  { nil: undefined },
);
const pictures = fc.array(fc.record({ nodes, run }).map((one) => picture(one.nodes, one.run)));

/** As it travels. */
const overTheWire = <T>(value: T): T => JSON.parse(JSON.stringify(value));

test("a page that is told the differences knows what the console sees, always", () => {
  fc.assert(
    fc.property(pictures, (all) => {
      const differs = differences();
      let model = nothing;
      for (const now of all) {
        model = changed(model, overTheWire(differs(now)));
        expect(overTheWire({ fleet: model.fleet, run: model.run })).toEqual(overTheWire(now));
      }
    }),
  );
});

test("what did not change does not travel", () => {
  const differs = differences();
  const before = picture([nodeView("web1"), nodeView("web2")], runView());
  differs(before);
  expect(differs(before)).toEqual({});
  const now: Picture = {
    ...before,
    fleet: { ...before.fleet, nodes: [nodeView("web1"), nodeView("web2", { note: "x" })] },
  };
  expect(differs(now)).toEqual({ nodes: [nodeView("web2", { note: "x" })] });
  expect(differs(picture(now.fleet.nodes))).toEqual({ run: null });
});

test("the whole takes the place of all that was known, and trouble stands until it is over", () => {
  const known = changed(nothing, differences()(picture([nodeView("web1")], runView())));
  const again = changed(known, { whole: true, ...differences()(picture([nodeView("web9")])), begun: [] });
  expect(again.fleet?.nodes.map((one) => one.name)).toEqual(["web9"]);
  expect(again.run).toBeUndefined();
  const troubled = changed(again, { trouble: "the journal is gone" });
  expect(troubled).toMatchObject({ trouble: "the journal is gone", fleet: again.fleet });
  expect(changed(troubled, {}).trouble).toBe("the journal is gone");
  expect(changed(troubled, { trouble: null }).trouble).toBeUndefined();
});

test("times are short, and never say sixty seconds", () => {
  expect([0, 310, 4_100, 59_600, 80_000, 3_600_000].map(sayMs)).toEqual([
    "0ms",
    "310ms",
    "4.1s",
    "1m",
    "1m20s",
    "1h0m",
  ]);
});

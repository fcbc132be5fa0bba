import * as fc from "fast-check";
import { expect, test } from "vitest";
import { compress } from "../../src/drafting/compress.ts";
import type { SketchNode } from "../../src/drafting/sketch.ts";
import { expand } from "../../src/inventory/ranges.ts";

const node = (name: string, host: string, more: Partial<SketchNode> = {}): SketchNode => ({
  name,
  host,
  remarks: [],
  ...more,
});

const shownAs = (nodes: SketchNode[]): string[] =>
  compress(nodes).map(({ name, host }) => `${name}: ${host}`);

const counted = (name: string, host: string, from: number, count: number): SketchNode[] =>
  Array.from({ length: count }, (_, i) =>
    node(name.replace("N", `${from + i}`), host.replace("N", `${10 + from + i}`)),
  );

test("three or more that are regular become a range; two don't, and what is odd stands by itself", () => {
  expect(shownAs(counted("webN", "10.0.1.N", 1, 4))).toEqual(["web[1:4]: 10.0.1.[11:14]"]);
  expect(shownAs(counted("webN", "10.0.1.N", 1, 2))).toEqual(["web1: 10.0.1.11", "web2: 10.0.1.12"]);
  expect(shownAs(counted("webN.example.net", "webN.example.net", 8, 4))).toEqual([
    "web[8:11].example.net: web[18:21].example.net",
  ]);
  const [a, b, c, d] = counted("webN", "10.0.1.N", 1, 4);
  if (!a || !b || !c || !d) return expect.unreachable();
  expect(shownAs([a, b, c, { ...d, remarks: ["odd"] }])).toEqual([
    "web[1:3]: 10.0.1.[11:13]",
    "web4: 10.0.1.14",
  ]);
  expect(shownAs([a, b, c, { ...d, server: "x" }])).toEqual(["web[1:3]: 10.0.1.[11:13]", "web4: 10.0.1.14"]);
  expect(shownAs([d, c, b, a])).toHaveLength(4);
});

test("zeros in front are kept as far as they go", () => {
  const names = ["web08", "web09", "web10", "web11"];
  expect(shownAs(names.map((name, i) => node(name, `10.0.1.${i}`)))).toEqual(["web[08:11]: 10.0.1.[0:3]"]);
});

test("what is compressed stands for the same nodes in the same order", () => {
  const name = fc.stringMatching(/^[ab]?[0-9]{0,3}[.-]?[0-9]{1,3}$/);
  const runs = fc.array(
    fc
      .tuple(name, name, fc.integer({ min: 1, max: 5 }))
      .map(([first, host, count]) =>
        Array.from({ length: count }, (_, i) => node(next(first, i), next(host, i))),
      ),
    { maxLength: 5 },
  );
  fc.assert(
    fc.property(runs, (all) => {
      const nodes = all.flat();
      const again = compress(nodes).flatMap((entry) => {
        const expansion = expand(entry.name, entry.host);
        return "nodes" in expansion ? expansion.nodes : [];
      });
      expect(again).toEqual(nodes.map((one) => ({ name: one.name, host: one.host })));
    }),
  );
});

const next = (text: string, steps: number): string =>
  text.replace(/\d+$/, (digits) => String(Number(digits) + steps).padStart(digits.length, "0"));

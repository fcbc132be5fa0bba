import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Rollout } from "../../src/inventory/fleet.ts";
import { sizeAfter } from "../../src/rotation/plan/sizes.ts";
import { buildProgram, runProgram } from "../fakes/program.ts";
import { type FakeSite, type Said, fakeSite } from "../fakes/site.ts";

interface Planned {
  batches: string[][];
  canaries: boolean[];
  text: string;
}

async function planOf(site: FakeSite, ...words: string[]): Promise<Planned> {
  const { out, code, err } = await site.rota("plan", ...words, "--json");
  expect(code, err).toBe(0);
  const { pools }: { pools: { batches: { nodes: { node: string }[]; canary: boolean }[] }[] } =
    JSON.parse(out);
  const batches = pools.flatMap((pool) => pool.batches);
  return {
    batches: batches.map(({ nodes }) => nodes.map(({ node }) => node)),
    canaries: batches.map(({ canary }) => canary),
    text: (await site.rota("plan", ...words)).out,
  };
}

const sizesOf = ({ batches }: Planned): number[] => batches.map(({ length }) => length);

const begun = ({ events }: Said): [nodes: string[], canary: boolean][] =>
  events.flatMap((event) =>
    event.type === "batch started" ? [[event.nodes, event.canary === true] as [string[], boolean]] : [],
  );

test("a canary goes first and is marked, then come the batches", async () => {
  await using site = await fakeSite({ nodes: 6, pool: { rollout: { canary: 1, batch: 2, min_serving: 1 } } });
  const plan = await planOf(site);
  expect(sizesOf(plan)).toEqual([1, 2, 2, 1]);
  expect(plan.canaries).toEqual([true, false, false, false]);
  expect(plan.text).toMatch(/ 1\. +web1 \(canary\) /);
});

test("a list of batches goes on with its last entry, from the inventory and from the command line", async () => {
  await using site = await fakeSite({
    nodes: 8,
    pool: { rollout: { batch: [1, "25%"], min_serving: 1 } },
  });
  expect(sizesOf(await planOf(site))).toEqual([1, 2, 2, 2, 1]);
  expect(sizesOf(await planOf(site, "--batch", "1,25%,50%"))).toEqual([1, 2, 4, 1]);
  for (const wrong of ["1,,2", "1,0", "", "1;2"])
    expect((await site.rota("plan", "--batch", wrong)).code, wrong).toBe(2);
});

test("a batch that min_serving makes smaller is said, and why", async () => {
  await using site = await fakeSite({ nodes: 4, pool: { rollout: { batch: 3, min_serving: 3 } } });
  const plan = await planOf(site);
  expect(sizesOf(plan)).toEqual([1, 1, 1, 1]);
  expect(plan.text).toContain("batches of 1 instead of 3: lb1/app: 4 of 4 serve, 3 must stay");
  expect((await planOf(site, "--batch", "1")).text).not.toContain("instead of");
});

test("a node that is out anyway is the canary: it goes first, and takes traffic when it is back", async () => {
  await using site = await fakeSite({ nodes: 4, pool: { rollout: { canary: 1, batch: 2, min_serving: 1 } } });
  for (const lb of site.balancers)
    Object.assign(lb.server("app", "web3"), { operational: 0, health: 0, passes: false });
  const plan = await planOf(site, "--include-down");
  expect(plan.batches).toEqual([["web3"], ["web1", "web2"], ["web4"]]);
  expect(plan.canaries).toEqual([true, false, false]);
});

test("a resume does not begin with a canary again", async () => {
  const pool = { upgrade: "test ! -e broken", rollout: { canary: 1, batch: 2, min_serving: 1 } };
  await using site = await fakeSite({ nodes: 5, pool });
  await site.host("web3").write("broken");
  const first = await site.rota("deploy", "--set", "RELEASE=2", "--json");
  expect(first.code).toBe(1);
  expect(begun(first)).toEqual([
    [["web1"], true],
    [["web2", "web3"], false],
  ]);
  await rm(join(site.host("web3").folder, "broken"));
  const rest = await site.rota("resume", "--retry", "--json");
  expect(rest.code, rest.err).toBe(0);
  expect(begun(rest)).toEqual([
    [["web3"], false],
    [["web4", "web5"], false],
  ]);
});

const rollout = ({ canary, batch }: { canary: number; batch: number[] }): Rollout => ({
  canary: { count: canary },
  batch: batch.map((count) => ({ count })),
  minServing: { count: 0 },
  maxFailures: 0,
  soak: 0,
  pipeline: false,
  inconclusive: "stop",
  onFailure: "stop",
});

test("wherever a run was interrupted, the sizes go on where they were", () => {
  const shapes = fc.record({
    canary: fc.integer({ min: 0, max: 3 }),
    batch: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
    done: fc.integer({ min: 0, max: 30 }),
  });
  fc.assert(
    fc.property(shapes, ({ canary, batch, done }) => {
      const leading = [...(canary > 0 ? [canary] : []), ...batch.slice(0, -1)];
      const ends = leading.map((_, i) => leading.slice(0, i + 1).reduce((sum, size) => sum + size, 0));
      const size = sizeAfter(rollout({ canary, batch }), 30, done);
      const next = ends.find((end) => end > done);
      expect(size).toBe(next === undefined ? batch.at(-1) : next - done);
    }),
  );
});

test("fourteen at once: what is said is rota's own, and no warning of what it is made of", async () => {
  await buildProgram();
  await using site = await fakeSite({ nodes: 14, pool: { rollout: { batch: 14, min_serving: 0 } } });
  const { code, stderr } = await runProgram(["deploy", "-i", site.inventory, "--set", "RELEASE=2"], {
    env: site.env,
  });
  expect(code, stderr).toBe(0);
  expect(stderr).not.toContain("Warning");
});

test("a plan of forty nodes names what differs, and not forty lines that are alike", async () => {
  await using site = await fakeSite({
    nodes: 40,
    pool: { rollout: { batch: [1, 2], canary: 1, min_serving: 0 } },
  });
  const { text, batches } = await planOf(site);
  expect(batches.flat()).toHaveLength(40);
  const rows = text.split("\n").filter((line) => /^ {2}(\d+\.|…)/.test(line));
  expect(
    rows.map((row) =>
      row
        .replace(/ +serving meanwhile.*/, "")
        .trim()
        .replaceAll(/ +/g, " "),
    ),
  ).toEqual([
    "1. web1 (canary)",
    "2. web2",
    "3. web3 web4",
    "4. web5 web6",
    "… 16 more of 2 nodes each, in the order of the inventory",
    "21. web39 web40",
  ]);
});

test("a batch of many nodes is named by its first and its last", async () => {
  await using site = await fakeSite({ nodes: 20, pool: { rollout: { batch: 13, min_serving: 0 } } });
  const { text } = await planOf(site);
  expect(text).toContain("1.  web1 web2 … web13 (13 nodes)");
  expect(text).toContain("2.  web14 web15 web16 web17 web18 web19 web20");
});

import { expect, test } from "vitest";
import { type Drift, driftOf } from "../../src/rotation/plan/drift.ts";
import type { Entry } from "../../src/rotation/ports.ts";
import type { FakeServer } from "../fakes/haproxy.ts";
import { type FakeSite, fakeSite } from "../fakes/site.ts";

interface Warned {
  drift: Drift[];
  notes: string[];
}

async function warnedOf(site: FakeSite, ...words: string[]): Promise<Warned> {
  const { out } = await site.rota("plan", ...words, "--json");
  const { drift, notes }: Warned = JSON.parse(out.split("\n")[0] ?? "");
  return { drift, notes };
}

const textsOf = async (site: FakeSite, ...words: string[]): Promise<string[]> =>
  (await warnedOf(site, ...words)).drift.map(({ text }) => text);

const server = (site: FakeSite, balancer: string, name: string, backend = "app"): FakeServer =>
  site.balancer(balancer).server(backend, name);

test.concurrent("a fleet that is as the inventory says is told of no drift", async () => {
  await using site = await fakeSite({ nodes: 3, backends: ["app", "admin"] });
  expect((await warnedOf(site)).drift).toEqual([]);
  expect((await site.rota("plan")).out).not.toContain("differ");
});

test.concurrent.each<[string, (site: FakeSite) => void, string[]]>([
  [
    "an address that is not the inventory's",
    (site) => (server(site, "lb2", "web2").address = "127.0.0.9"),
    ["web2 is 127.0.0.1 in the inventory, and 127.0.0.9:8001 on lb2/app"],
  ],
  [
    "a port that is not the same on every balancer",
    (site) => (server(site, "lb2", "web2").port = 9_000),
    ["web2 is not the same everywhere: 127.0.0.1:8001 on lb1/app; 127.0.0.1:9000 on lb2/app"],
  ],
  [
    "weights that differ",
    (site) => (server(site, "lb1", "web3").weight = 5),
    ["web3 weighs 5 on lb1/app; 1 on lb2/app"],
  ],
  [
    "balancers that disagree",
    (site) => (server(site, "lb2", "web1").admin = 8),
    ["the balancers disagree about web1: UP on lb1/app; DRAIN on lb2/app"],
  ],
  [
    "servers that the inventory does not know",
    (site) => (site.balancer("lb1").addServer("app", "web9").port = 9_009),
    ["lb1/app also has web9, not in the inventory: counted, and never touched"],
  ],
  [
    "an agent check",
    (site) => (server(site, "lb1", "web2").agent = true),
    ["lb1/app asks an agent about web2: while the node is out rota has it not asked (disable agent)"],
  ],
  [
    "the same address under another name",
    (site) => (site.balancer("lb1").addServer("app", "web2-old").port = 8_001),
    [
      "web2 (127.0.0.1:8001) is lb1/app/web2-old too, which rota does not drain: requests still reach it there",
      "lb1/app also has web2-old, not in the inventory: counted, and never touched",
    ],
  ],
])("%s: told, and nothing is refused", async (_, change, expected) => {
  await using site = await fakeSite({ nodes: 3 });
  change(site);
  expect(await textsOf(site)).toEqual(expected);
});

test.concurrent(
  "a backend that lacks a node on one balancer is told, and so is one outside of backends:",
  async () => {
    await using site = await fakeSite({ nodes: 3, backends: ["app", "admin"] });
    site.balancer("lb2").removeServer("admin", "web2");
    expect(await textsOf(site)).toEqual(["lb2/admin lacks web2"]);
    expect(await textsOf(site, "web1")).toEqual([]); // it is not about this node
  },
);

test.concurrent(
  "a node in a backend outside of backends: is told, but not where it follows the node",
  async () => {
    await using site = await fakeSite({ nodes: 2, backends: ["app", "admin"], pool: { backends: ["app"] } });
    for (const lb of site.balancers) lb.server("admin", "web2").tracks = "app/web2";
    expect(await textsOf(site)).toEqual([
      "web1 (127.0.0.1:8000) is lb1/admin/web1, lb2/admin/web1 too, which rota does not drain: requests still reach it there",
    ]);
  },
);

test.concurrent("a host that is a name is compared with what it resolves to, or not at all", async () => {
  const host = (name: string) => ({ nodes: { web2: { host: name } } });
  await using known = await fakeSite({ nodes: 2, pool: host("localhost") });
  expect(await textsOf(known)).toEqual([]);
  for (const lb of known.balancers) lb.server("app", "web2").address = "127.0.0.7";
  expect(await textsOf(known)).toEqual([
    "web2 is localhost in the inventory, and 127.0.0.7:8001 on lb1/app, lb2/app",
  ]);
  await using unknown = await fakeSite({ nodes: 2, pool: host("nowhere.invalid") });
  expect(await textsOf(unknown)).toEqual([]);
});

test.concurrent("much drift stays short", async () => {
  await using site = await fakeSite({ nodes: 12 });
  for (let n = 1; n <= 12; n++) server(site, "lb1", `web${n}`).weight = 10 + n;
  const texts = await textsOf(site);
  expect(texts).toHaveLength(5);
  expect(texts.at(-1)).toBe("and 8 more like this");
});

/** A fleet whose nodes all stand on one address. @returns what is said, and how often an entry was looked at */
function onOneAddress(count: number): { drift: Drift[]; looks: number } {
  let looks = 0;
  const entries = Array.from({ length: count }, (_, i): Entry => {
    const entry: Entry = {
      balancer: "lb1",
      backend: "app",
      server: `web${i + 1}`,
      admin: "ready",
      weight: 1,
      initialWeight: 1,
      outBecause: undefined,
      status: "UP",
      lastCheck: "",
      sessions: 0,
      traffic: { perSecond: 0, errors: 0 },
      backup: false,
      checked: true,
      tracks: undefined,
      address: "127.0.0.1:80",
      agent: undefined,
    };
    return new Proxy(entry, {
      get(target, name) {
        looks += 1;
        return Reflect.get(target, name);
      },
    });
  });
  const nodes = entries.map((entry) => ({
    pool: { balancers: ["lb1"] },
    node: { name: entry.server, server: entry.server, host: "127.0.0.1" },
    entries: [entry],
  }));
  const fleet = { pools: [{ nodes: nodes.map(({ node }) => node) }] };
  const survey = { entries, backends: [], unread: [] };
  looks = 0;
  return { drift: driftOf({ fleet, survey, nodes, addresses: new Map() }), looks };
}

test("nodes that all stand on one address are told with the first few of the others", () => {
  const texts = (count: number): string[] => onOneAddress(count).drift.map(({ text }) => text);
  expect(texts(2)[1]).toMatch(/^web2 \(127\.0\.0\.1:80\) is lb1\/app\/web1 too,/);
  const many = texts(500);
  expect(many).toHaveLength(5);
  expect(many[0]).toContain("is lb1/app/web2, lb1/app/web3, ");
  expect(many[0]).toContain("lb1/app/web7 and more too, which rota does not drain");
  expect(many[4]).toBe("and 496 more like this");
});

test("twice as many nodes on one address are twice as much to look at, not four times", () => {
  expect(onOneAddress(1_000).looks).toBeLessThan(2.2 * onOneAddress(500).looks);
});

test.concurrent(
  "a deploy tells drift before it begins, and as notices where its events are read",
  async () => {
    await using site = await fakeSite({ nodes: 2 });
    server(site, "lb1", "web2").weight = 5;
    const text = "web2 weighs 5 on lb1/app; 1 on lb2/app";
    const plain = await site.rota("deploy", "--set", "RELEASE=2", "--min-serving", "1");
    expect(plain.code, plain.err).toBe(0);
    expect(plain.err).toContain(`inventory and balancers differ:\n  ${text}\n`);
    const { events } = await site.rota("deploy", "--set", "RELEASE=2", "--min-serving", "1", "--json");
    expect(events[1]).toMatchObject({ type: "notice", text });
  },
);

test.concurrent("a restart that could not be noticed, and a --set that nobody knows, are told", async () => {
  await using site = await fakeSite({ nodes: 2 });
  const { notes } = await warnedOf(site, "--set", "RELAESE=2", "--set", "PORT=1");
  expect(notes).toEqual([
    expect.stringMatching(/^web: a restart that does nothing would not be noticed/),
    "--set RELAESE: nothing in the inventory names it (needs, vars, check, commands); did you mean RELEASE?",
  ]);
  await using proven = await fakeSite({ nodes: 2, pool: { check: { body: "{RELEASE}" } } });
  expect((await warnedOf(proven, "--set", "RELEASE=2")).notes).toEqual([]);
});

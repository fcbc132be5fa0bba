import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { KnownServer } from "../../src/balancer/introduction.ts";
import { sketchFrom } from "../../src/drafting/haproxy/from-haproxy.ts";
import { write } from "../../src/drafting/write.ts";
import type { Fleet } from "../../src/inventory/fleet.ts";
import { readInventory } from "../../src/inventory/load.ts";

const server = (place: string, address: string, more: Partial<KnownServer> = {}): KnownServer => {
  const [backend = "", name = ""] = place.split("/");
  const [host = "", port = "8000"] = address.split(" ");
  return {
    backend,
    backendId: 1,
    server: name,
    serverId: 1,
    operational: 2,
    admin: 0,
    weight: 1,
    initialWeight: 1,
    checked: true,
    agent: false,
    agentBusy: false,
    address: host,
    port: Number(port),
    status: "UP",
    backup: false,
    tracks: "",
    fqdn: undefined,
    checkPort: undefined,
    ssl: false,
    mode: "http",
    checkStatus: "L7OK",
    checkCode: 200,
    ...more,
  };
};

function written(...balancers: KnownServer[][]): string {
  const introductions = balancers.map((servers, i) => ({
    balancer: `lb${i + 1}`,
    version: "2.6.12",
    process: 100 + i,
    uptime: 60,
    level: "admin",
    servers,
  }));
  const addresses = new Map(
    introductions.map(({ balancer }) => [balancer, `tcp://10.9.9.9:99${balancer.slice(2)}1`]),
  );
  return write(sketchFrom({ fleet: "shop", addresses, ssh: {}, introductions }));
}

const here = { user: "ada", home: "/home/ada", folder: "/" };
const fleetOf = (text: string): Fleet => readInventory(text, "shop.yml", here);

/** "pool: node@host=server" */
const nodesIn = (text: string): string[] =>
  fleetOf(text).pools.flatMap((pool) =>
    pool.nodes.map(
      ({ name, host, server: own }) => `${pool.name}: ${name}@${host}${own === name ? "" : `=${own}`}`,
    ),
  );

/** The comment that names this. */
const said = (text: string, word: string): string =>
  text.split("\n").find((line) => line.includes("#") && line.includes(word)) ?? "";

test("servers of the same backends are a pool, with a range and the check that HAProxy makes", () => {
  const names = [1, 2, 3, 4];
  const text = written([
    ...names.map((n) => server(`app/web${n}`, `10.0.1.1${n}`)),
    ...names.map((n) => server(`admin/web${n}`, `10.0.1.1${n} 9000`)),
    server("jobs/jobs1", "10.0.2.1", { checkPort: 8080, checkCode: 204, ssl: true }),
  ]);
  expect(text).toContain("web[1:4]: 10.0.1.[11:14]\n");
  const { pools } = fleetOf(text);
  expect(pools.map(({ name, check }) => [name, check.url, check.status])).toEqual([
    ["app-admin", "http://{host}:8000/", 200],
    ["jobs", "https://{host}:8080/", 204],
  ]);
  expect(pools.map(({ backends, balancers }) => [backends, balancers])).toEqual([
    [undefined, ["lb1"]],
    [undefined, ["lb1"]],
  ]);
  expect(said(text, "got 200")).toContain("over HTTP");
  expect(said(text, "9000")).toContain("serve other ports too");
});

test("one name at two addresses is two nodes, each with its own backends", () => {
  const text = written([
    server("app/s1", "10.0.1.1"),
    server("api/s1", "10.0.2.1"),
    server("api/s2", "10.0.2.2"),
  ]);
  expect(nodesIn(text)).toEqual(["app: app-s1@10.0.1.1=s1", "api: api-s1@10.0.2.1=s1", "api: s2@10.0.2.2"]);
  expect(fleetOf(text).pools.map(({ backends }) => backends)).toEqual([["app"], ["api"]]);
});

test("one name at two addresses in one backend of two balancers is a problem that is named", () => {
  const text = written([server("app/web1", "10.0.1.1")], [server("app/web1", "10.0.9.1")]);
  expect(nodesIn(text)).toEqual(["app: web1@10.0.1.1"]);
  expect(said(text, "not the same everywhere")).toContain("10.0.1.1 on lb1, but 10.0.9.1 on lb2/app");
});

test("one process under two names is one node, and the other name is a problem", () => {
  const text = written([server("app/web1", "10.0.1.1"), server("api/web1_api", "10.0.1.1")]);
  expect(nodesIn(text)).toEqual(["app: web1@10.0.1.1"]);
  expect(said(text, "- web1_api (lb1/api): PROBLEM")).toContain("let it track app/web1");
});

test("two processes on one host are two nodes, each with its port", () => {
  const text = written([server("app/a", "10.0.1.1 8001"), server("app/b", "10.0.1.1 8002")]);
  const [pool] = fleetOf(text).pools;
  expect(pool?.check.url).toBe("http://{host}:{PORT}/");
  expect(pool?.nodes.map(({ vars }) => vars)).toEqual([
    { PORT: { value: "8001" } },
    { PORT: { value: "8002" } },
  ]);
});

test("a pool that not every balancer has names its balancers", () => {
  const text = written(
    [server("app/web1", "10.0.1.1"), server("jobs/j1", "10.0.2.1")],
    [server("app/web1", "10.0.1.1")],
  );
  expect(fleetOf(text).pools.map(({ balancers }) => balancers)).toEqual([["lb1", "lb2"], ["lb1"]]);
});

describe("a server that is no node is said to be none, and why:", () => {
  const good = server("app/web1", "10.0.1.1");
  test.each([
    ["a backup", server("app/sorry", "10.0.1.9", { backup: true }), "a backup"],
    ["a Unix socket", server("app/sock", "- 0"), "a Unix socket"],
    ["one that DNS does not know", server("app/dns", "0.0.0.0", { fqdn: "-x-" }), "DNS has not answered"],
    [
      "one that follows another machine",
      server("api/x", "10.0.1.7", { tracks: "app/web1" }),
      "another machine",
    ],
    [
      "one that follows the same machine",
      server("api/y", "10.0.1.1 1", { tracks: "app/web1" }),
      "the same machine",
    ],
    ["a name that can't be one", server("app/we{b", "10.0.1.8"), "none that an inventory can have"],
  ])("%s", (_, odd, why) => {
    const text = written([good, odd]);
    expect(nodesIn(text)).toEqual(["app: web1@10.0.1.1"]);
    expect(said(text, `- ${odd.server} `)).toContain(why);
  });
});

test("a server by DNS is the name that haproxy.cfg has, resolved or not", () => {
  const text = written([
    server("app/web1", "10.0.1.1", { fqdn: "web1.example.net" }),
    server("app/web2", "- 80", { fqdn: "web2.example.net", status: "MAINT (resolution)", admin: 0x20 }),
    server("app/t1", "10.0.1.3", { fqdn: "all.example.net" }),
    server("app/t2", "10.0.1.4", { fqdn: "all.example.net" }),
  ]);
  expect(nodesIn(text)).toEqual([
    "app: web1@web1.example.net",
    "app: web2@web2.example.net",
    "app: t1@10.0.1.3",
    "app: t2@10.0.1.4",
  ]);
});

test("who is out, agents, tcp and servers without checks are pointed out", () => {
  const text = written([
    server("app/web1", "10.0.1.1", { status: "MAINT", admin: 1 }),
    server("app/web2", "10.0.1.2", { agent: true, checked: false, mode: "tcp", weight: 0 }),
  ]);
  expect(said(text, "- web1:")).toContain("MAINT on lb1/app");
  expect(said(text, "- web2:")).toContain("weight 0");
  for (const word of ["asks an agent", "mode tcp", "without `check`"])
    expect(said(text, word)).toContain("lb1/app");
});

test("no server that could be a node is an error that says why", () => {
  expect(() => written([server("app/sock", "- 0")])).toThrow(
    /lb1 has no server that could be a node\n {2}sock/,
  );
});

test("names that YAML or JavaScript take for something else stay names", () => {
  const names = ["true", "1", "0x10", "null", "1:30", "__proto__", "-", "on", ".5", "constructor"];
  const text = written([names.map((name, i) => server(`app/${name}`, `10.0.1.${2 * i + 1}`))].flat());
  expect(nodesIn(text).map((line) => line.split(/[@ ]/)[1])).toEqual(
    names.map((name) => (name === "__proto__" ? "__proto__-2" : name)),
  );
});

test("whatever a socket says, what is written is an inventory, and comments stay comments", () => {
  const word = fc.oneof(
    fc.constantFrom(
      "web1",
      "a\nb: c",
      "x # y",
      "{a: b}",
      "\u001b[2Jx\u009b",
      "\u202ex",
      "\r\nfleet: evil",
      "\u2028- x",
      "&a *a",
      "'",
      '"',
      "__proto__",
      "<<",
      "[1:3]",
      "...",
    ),
    fc.string({ maxLength: 12 }),
  );
  const any = fc.record({
    backend: word,
    name: word,
    status: word,
    tracks: word,
    fqdn: fc.option(word, { nil: undefined }),
    mode: word,
    checkStatus: word,
  });
  fc.assert(
    fc.property(fc.array(any, { maxLength: 6 }), (odd) => {
      const servers = odd.map(({ backend, name, ...more }, i) => ({
        ...server("x/y", `10.0.1.${i}`, more),
        backend,
        server: name,
      }));
      const text = written([server("app/good", "10.0.0.1"), ...servers]);
      const fleet = fleetOf(text);
      expect(fleet.name).toBe("shop");
      expect(fleet.balancers).toHaveLength(1);
      expect(text).not.toMatch(/[^\P{C}\n\ufffd]/u); // nothing that a terminal would obey
    }),
    { numRuns: 200 },
  );
});

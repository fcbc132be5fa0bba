import { join } from "node:path";
import { expect, test } from "vitest";
import { loadInventory, readInventory } from "../../src/inventory/load.ts";
import { balancersOf } from "../../src/inventory/fleet.ts";
import { errorOf, fleetOf, here, rest, top, withNodes, withPool } from "./files.ts";

const poolOf = (text: string) => fleetOf(text).pools[0];
const nodesOf = (text: string) => poolOf(text)?.nodes ?? [];

test("what the file leaves out has its default", () => {
  expect(fleetOf(withNodes("{ web1: 10.0.1.1 }"))).toEqual({
    name: "shop",
    sharedJournal: false,
    hooks: { beforeDeploy: undefined, afterDeploy: undefined },
    notices: [],
    file: "inventories/shop.yml",
    balancers: [
      { name: "lb1", socket: { kind: "unix", path: "/run/lb1.sock" } },
      { name: "lb2", socket: { kind: "tcp", host: "10.0.0.2", port: 9999 } },
    ],
    pools: [
      {
        name: "web",
        balancers: ["lb1", "lb2"],
        backends: undefined,
        nodes: [
          {
            name: "web1",
            host: "10.0.1.1",
            server: "web1",
            ssh: {
              user: "ada",
              port: 22,
              identity: undefined,
              knownHosts: "/home/ada/.ssh/known_hosts",
              sudo: false,
              unsaid: ["user", "port", "identity", "knownHosts", "jump"],
            },
            vars: {},
          },
        ],
        needs: [],
        drain: { within: 60_000, atLimit: "stop" },
        statusPage: undefined,
        stays: false,
        once: undefined,
        upgrade: undefined,
        rollback: undefined,
        hooks: { beforeBatch: undefined, afterBatch: undefined, beforeNode: undefined, afterNode: undefined },
        restart: { via: "command", run: "./restart", proof: undefined },
        check: {
          url: "http://{host}:8000/_status",
          status: 200,
          body: undefined,
          times: 2,
          within: 90_000,
          whileOut: 404,
        },
        ready: { proof: "pass" },
        rollout: {
          canary: { count: 0 },
          batch: [{ count: 1 }],
          minServing: { percent: 50 },
          maxFailures: 0,
          soak: 0,
          pipeline: false,
          inconclusive: "stop",
          onFailure: "stop",
        },
        limits: { connect: 10_000, command: 600_000, ready: 60_000, capacity: 600_000 },
      },
    ],
  });
});

test("what the file says is kept", () => {
  const pool = poolOf(
    withPool(
      [
        "    balancers: [lb2]",
        "    backends: [app, app_admin]",
        "    needs: [RELEASE]",
        "    drain: { within: 1.5h }",
        "    upgrade: |",
        "      ./fetch",
        "      ./switch",
        "    ready: { proof: check }",
        "    prepare: ./fetch-all",
        "    rollout: { canary: 2, batch: [1, 12.5%], min_serving: 0, max_failures: 2 }",
        "    limits: { connect: 500ms, command: 1d, ready: 2m, capacity: 3m }",
        "",
      ].join("\n"),
    ),
  );
  expect(pool).toMatchObject({
    balancers: ["lb2"],
    backends: ["app", "app_admin"],
    needs: ["RELEASE"],
    drain: { within: 5_400_000, atLimit: "stop" },
    upgrade: { run: "./fetch\n./switch\n", repeat: "ask" },
    ready: { proof: "check" },
    prepare: "./fetch-all",
    rollout: {
      canary: { count: 2 },
      batch: [{ count: 1 }, { percent: 12.5 }],
      minServing: { count: 0 },
      maxFailures: 2,
    },
    limits: { connect: 500, command: 86_400_000, ready: 120_000, capacity: 180_000 },
  });
});

test("a pool's balancers are in the order of the file", () => {
  const fleet = fleetOf(withPool("    balancers: [lb2, lb1]\n"));
  const names = fleet.pools.flatMap((pool) => balancersOf(fleet, pool).map(({ name }) => name));
  expect(names).toEqual(["lb1", "lb2"]);
});

test("a range is its nodes, in the order of the file, also between names of digits", () => {
  const nodes = nodesOf(
    withNodes("\n      '10': 10.0.1.10\n      web[3:4]: 10.0.1.[13:14]\n      '2': 10.0.1.2\n"),
  );
  expect(nodes.map(({ name, host, server }) => [name, host, server])).toEqual([
    ["10", "10.0.1.10", "10"],
    ["web3", "10.0.1.13", "web3"],
    ["web4", "10.0.1.14", "web4"],
    ["2", "10.0.1.2", "2"],
  ]);
});

test("a node's own ssh wins key by key, for every node of a range", () => {
  const text = `${withNodes(
    "\n      web1: h1\n      web[2:3]: { host: 'h[2:3]', ssh: { port: 2222, identity: ~/other } }\n",
  )}ssh: { user: deploy, port: 22022, identity: /keys/id, known_hosts: known }\n`;
  const all = {
    user: "deploy",
    port: 22_022,
    identity: "/keys/id",
    knownHosts: "/fleet/inventories/known",
    sudo: false,
    unsaid: ["jump"],
  };
  const own = { ...all, port: 2222, identity: "/home/ada/other" };
  expect(nodesOf(text).map(({ ssh }) => ssh)).toEqual([all, own, own]);
});

test.each([
  ["inventories/shop.yml", "/fleet/keys/id"],
  ["shop.yml", "/keys/id"],
  ["/etc/rota/shop.yml", "/etc/keys/id"],
])("a relative key file starts at the inventory: %s", (path, identity) => {
  const text = `${withPool("")}ssh: { identity: ../keys/id }\n`;
  expect(readInventory(text, path, here).pools[0]?.nodes[0]?.ssh.identity).toBe(identity);
});

test("a machine without a name for its user needs ssh.user", () => {
  const nobody = { ...here, user: "" };
  const error = errorOf(() => readInventory(withPool(""), "f", nobody));
  expect(error.message).toContain("ssh.user: is missing, and this machine has no name for you");
  const fleet = readInventory(`${withPool("")}ssh: { user: deploy }\n`, "f", nobody);
  expect(fleet.pools[0]?.nodes[0]?.ssh.user).toBe("deploy");
});

test("a node's variables win over the pool's, and numbers stay as they are written", () => {
  const nodes = nodesOf(
    withNodes(
      "\n      web1: h1\n      web2: { host: h2, vars: { ZONE: b, VERSION: 0x1F } }\n",
      "    vars: { ZONE: a, VERSION: 1.10, LONG: 12345678901234567890, ON: true, NO: no, EMPTY: '',\n" +
        "      TOKEN: { env: SHOP_TOKEN, secret: true }, HOME_OF: { env: HOME } }\n",
    ),
  );
  const shared = {
    ZONE: { value: "a" },
    VERSION: { value: "1.10" },
    LONG: { value: "12345678901234567890" },
    ON: { value: "true" },
    NO: { value: "no" },
    EMPTY: { value: "" },
    TOKEN: { env: "SHOP_TOKEN", secret: true },
    HOME_OF: { env: "HOME", secret: false },
  };
  expect(nodes[0]?.vars).toEqual(shared);
  expect(nodes[1]?.vars).toEqual({ ...shared, ZONE: { value: "b" }, VERSION: { value: "0x1F" } });
});

test("what an alias names is as if it stood there", () => {
  const text =
    `${top}pools:\n  web:\n    nodes: { web1: h1 }\n    vars: &vars { PORT: 08 }\n    limits: &slow { command: 1h }\n${rest}` +
    `  api:\n    nodes: { api1: h2 }\n    vars: *vars\n    limits: *slow\n${rest}`;
  const [web, api] = fleetOf(text).pools;
  expect(api?.limits.command).toBe(3_600_000);
  expect(api?.nodes[0]?.vars).toEqual({ PORT: { value: "08" } });
  expect(web?.nodes[0]?.vars).toEqual(api?.nodes[0]?.vars);
});

test("names that every JavaScript object has are names like others", () => {
  const text = `fleet: shop\nbalancers: { constructor: unix:/a }\npools:\n  toString:\n    nodes: { valueOf: h }\n    vars: { hasOwnProperty: 1 }\n${rest}`;
  const [pool] = fleetOf(text).pools;
  expect(pool).toMatchObject({ name: "toString", balancers: ["constructor"] });
  expect(pool?.nodes[0]).toMatchObject({ name: "valueOf", server: "valueOf" });
  expect(pool?.nodes[0]?.vars).toEqual({ hasOwnProperty: { value: "1" } });
});

test("one server's name may serve two pools that share no backend, or no balancer", () => {
  const api = (own: string): string =>
    `  api:\n${own}    nodes: { api1: { host: h, server: web1 } }\n${rest}`;
  expect(fleetOf(withPool("    backends: [app]\n") + api("    backends: [api]\n")).pools).toHaveLength(2);
  expect(fleetOf(withPool("    balancers: [lb1]\n") + api("    balancers: [lb2]\n")).pools).toHaveLength(2);
});

const example = (name: string) =>
  loadInventory(join(import.meta.dirname, "../../inventories", name), { ...here, folder: "/" });

test("the small example is right", () => {
  const { balancers, pools } = example("two-nodes.yml");
  expect(balancers).toHaveLength(1);
  expect(pools.map((pool) => pool.nodes.map(({ name }) => name))).toEqual([["web1", "web2"]]);
});

test("the large example is right, and says what its comments say", () => {
  const fleet = example("fleet.yml");
  const [jobs, web] = fleet.pools;
  expect(fleet.pools.map((pool) => balancersOf(fleet, pool).length)).toEqual([1, 3]);
  expect(jobs).toMatchObject({ name: "jobs", backends: ["jobs"], drain: { within: 600_000 } });
  expect(web?.nodes).toHaveLength(10);
  expect(web?.nodes[1]).toMatchObject({ server: "web-two", ssh: { user: "deploy", port: 2222 } });
  expect(web?.nodes[1]?.vars.PORT).toEqual({ value: "8080" });
  expect(web?.nodes[9]).toMatchObject({ name: "web10", host: "10.0.1.20" });
  expect(web?.nodes[9]?.vars.SENTRY_TOKEN).toEqual({ env: "SENTRY_TOKEN", secret: true });
  expect(web?.rollout).toEqual({
    canary: { count: 0 },
    batch: [{ percent: 25 }],
    minServing: { percent: 75 },
    maxFailures: 1,
    soak: 0,
    pipeline: false,
    inconclusive: "stop",
    onFailure: "stop",
  });
});

test("a balancer's sockets may lie behind SSH, and what they leave out is what holds for all hosts", () => {
  const text = [
    "fleet: shop",
    "balancers:",
    "  lb3: ssh://lb3/run/a.sock",
    "  lb4: { socket: ssh://root@lb4:2222/run/a.sock, master: unix:/run/m.sock, jump: false }",
    "ssh: { user: deploy, port: 24, identity: /id, known_hosts: /known, jump: bastion }",
    "",
  ].join("\n");
  const ssh = { identity: "/id", knownHosts: "/known", unsaid: [] };
  const jump = { user: "deploy", host: "bastion", port: 22, unsaid: ["port", "jump"] };
  expect(fleetOf(`${text}${nodesAt("{ web1: h }")}`).balancers).toEqual([
    {
      name: "lb3",
      socket: {
        kind: "ssh",
        host: "lb3",
        path: "/run/a.sock",
        ssh: { ...ssh, user: "deploy", port: 24, jump },
      },
    },
    {
      name: "lb4",
      socket: { kind: "ssh", host: "lb4", path: "/run/a.sock", ssh: { ...ssh, user: "root", port: 2_222 } },
      master: { kind: "unix", path: "/run/m.sock" },
    },
  ]);
});

test("a node goes through its own jump host, or through none; nobody jumps over himself", () => {
  const nodes =
    "{ a: h, b: { host: h2, ssh: { jump: 'ada@[fd00::1]:23' } }, c: { host: h3, ssh: { jump: false } }, d: bastion }";
  const text = `${top}ssh: { user: deploy, jump: bastion }\n${nodesAt(nodes)}`;
  expect(nodesOf(text).map(({ ssh }) => ssh.jump)).toEqual([
    { user: "deploy", host: "bastion", port: 22, unsaid: ["port", "jump", "identity", "knownHosts"] },
    { user: "ada", host: "fd00::1", port: 23, unsaid: ["jump", "identity", "knownHosts"] },
    undefined,
    undefined,
  ]);
});

const nodesAt = (nodes: string): string => `pools:\n  web:\n    nodes: ${nodes}\n${rest}`;

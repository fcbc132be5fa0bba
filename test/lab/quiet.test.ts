/** When a node is quiet, and what becomes of what does not end: every kind of client on the real HAProxy. */
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import { freePorts } from "./addresses.ts";
import { reportCase } from "./cases.ts";
import { type Client, type Staying, openConnection, openWebSocket, startClient } from "./clients.ts";
import { type Lab, startLab } from "./lab.ts";
import { type Ended, runRota } from "./rota.ts";
import { waitFor } from "./wait.ts";

const isFull = process.env["CHAOS"] === "full";

let lab: Lab;
let tcpPort: number;

beforeAll(async () => {
  lab = await startLab({ balancers: 1, nodes: 2, bootSeconds: 0.1, workers: 8, checkInterMs: 200 });
  for (const node of lab.nodes) {
    await appendFile(join(node.folder, "node.env"), "BOOT_LIMIT=120\nGRACEFUL=1\n");
    await node.appctl("restart");
    await node.untilServes("1");
  }
  const { configFile, tcp } = lab.balancer("lb1");
  [tcpPort = 0] = await freePorts(1, [tcp.host]);
  await writeFile(configFile, `${await readFile(configFile, "utf8")}${sections(tcp.host)}`);
  await lab.balancer("lb1").reload();
  await lab.untilAllInRotation();
}, 120_000);
afterAll(() => lab.stop());

/** Beside `app`, which the lab has by itself. */
function sections(host: string): string {
  const at = (name: string): string => `${name} ${lab.node(name).host}:${lab.node(name).appPort}`;
  const [web1, web2] = [at("web1"), at("web2")];
  return `
backend sticky
  cookie SRV insert indirect nocache
  option httpchk GET /_status
  server ${web1} check cookie web1
  server ${web2} check cookie web2
backend table
  stick-table type string len 32 size 1k expire 10m
  stick on req.hdr(x-client)
  option httpchk GET /_status
  server ${web1} check
  server ${web2} check
backend spare
  option httpchk GET /_status
  server ${web1} check
  server ${web2} check backup
backend follow
  server ${web1} track app/web1
  server ${web2} track app/web2
backend refused
  retries 8
  cookie SRV insert indirect nocache
  server web1 ${host}:1 cookie web1
  server ${web2} cookie web2
frontend tcp
  mode tcp
  bind ${host}:${tcpPort}
  default_backend raw
backend raw
  mode tcp
  option httpchk GET /_status
  server ${web1} check
  server ${web2} check
`;
}

const url = (): string => lab.balancer("lb1").url;
const own = ["app", "sticky", "table", "spare", "raw"];

let releases = 1;

/** @param over of the pool */
async function deploy(nodes: string[], drain: object, backends = own): Promise<Ended> {
  await lab.untilAllInRotation();
  const inventory = await lab.inventory({ drain, backends, rollout: { min_serving: 0 } });
  releases += 1;
  const set = ["--set", `RELEASE=${releases}`];
  return runRota(lab, ["deploy", ...nodes, "-i", inventory, ...set, "--yes", "--json"]);
}

const notices = ({ events }: Ended): string =>
  events.flatMap((event) => (event.type === "notice" ? [event.text] : [])).join("\n");

const waits = ({ events }: Ended): string =>
  events
    .flatMap((event) => (event.type === "waiting" && event.step === "settle" ? [event.saw] : []))
    .join("\n");

test("no client of any kind loses a request while both nodes are deployed", async ({ task }) => {
  const kinds: [name: string, Client[]][] = [
    ["keep-alive clients", clients(2, { backend: "app", keepAlive: true })],
    [
      "clients bound by a cookie, who keep coming through a drain",
      ["web1", "web2"].map((node) => startClient({ url: url(), backend: "sticky", cookie: `SRV=${node}` })),
    ],
    [
      "clients in a stick table",
      [1, 2, 3, 4].map((n) => startClient({ url: url(), backend: "table", name: `client${n}` })),
    ],
    ["a backend whose second server is a backup", clients(1, { backend: "spare" })],
    ["servers that track the node's, outside of the pool's backends", clients(1, { backend: "follow" })],
    [
      "TCP mode, a connection a request",
      [startClient({ url: `http://${lab.balancer("lb1").tcp.host}:${tcpPort}`, backend: "raw" })],
    ],
  ];
  const ended = await deploy([], { within: "30s" });
  await Promise.all(kinds.flatMap(([, all]) => all.map((client) => client.stop())));
  for (const [name, all] of kinds) {
    const [sent, lost] = [
      sum(all.map((client) => client.sent)),
      sum(all.map((client) => client.lost.length)),
    ];
    reportCase(task, `a deploy under load: ${name}`, { sent, lost });
  }
  expect(ended.code, ended.stderr).toBe(0);
  expect(
    kinds.flatMap(([name, all]) => all.flatMap(({ lost }) => lost.map((what) => `${name}: ${what}`))),
  ).toEqual([]);
  expect(notices(ended)).toMatch(/lb1\/sticky\/web1.*: clients that are bound to web1/);
  // Each had to leave its node and to come back from the other's.
  for (const [, all] of kinds.slice(1, 3))
    for (const { servedBy } of all) expect(new Set(servedBy).size).toBe(2);
});

const clients = (count: number, options: { backend: string; keepAlive?: boolean }): Client[] =>
  Array.from({ length: count }, () => startClient({ url: url(), ...options }));

const sum = (counts: number[]): number => counts.reduce((total, one) => total + one, 0);

const bound = { backend: "sticky", cookie: "SRV=web1" };

/** On web1, and one connection in TCP mode there. */
async function openAll(): Promise<Staying[]> {
  const sockets = [await openWebSocket(url(), bound), await openWebSocket(url(), bound)];
  // Round robin: one of two.
  const both = [
    await openConnection(lab.balancer("lb1").tcp.host, tcpPort),
    await openConnection(lab.balancer("lb1").tcp.host, tcpPort),
  ];
  return [...sockets, ...both];
}

const closedOf = (all: Staying[]): number => all.filter((one) => !one.isOpen()).length;

const untilClosed = (all: Staying[], count: number): Promise<undefined> =>
  waitFor(`${count} closed`, 5_000, async () =>
    closedOf(all) === count ? yes(undefined) : notYet(`${closedOf(all)} are closed`),
  );

test("stop: WebSockets and TCP connections that stay are named at the limit, and all go on", async ({
  task,
}) => {
  reportCase(
    task,
    "drain.at_limit stop: two WebSockets and a TCP connection stay, and the node goes back as found",
  );
  const all = await openAll();
  const began = await lab.node("web1").pid();
  const ended = await deploy(["web1"], { within: "1s" });
  expect(ended.code).toBe(1);
  expect(ended.stderr).toMatch(
    /3 sessions left \(lb1: 3\); held by (127\.\S+:\d+ for \d+s \(lb1\/(sticky|raw)\/web1\)(, | and )?){3}/,
  );
  expect(ended.stderr).toContain("web1 is as it was found");
  expect([closedOf(all), await lab.node("web1").pid()]).toEqual([0, began]);
  for (const one of all) one[Symbol.dispose]();
});

test("cut: as many are cut as rota says, those of an old worker too", async ({ task }) => {
  const before = await openWebSocket(url(), bound);
  await lab.balancer("lb1").reload();
  await lab.untilAllInRotation();
  const all = [before, ...(await openAll())];
  const ended = await deploy(["web1"], { within: "1s", at_limit: "cut" });
  expect(ended.code, ended.stderr).toBe(0);
  await untilClosed(all, 4);
  const said = /drain\.at_limit is cut: (\d+) sessions are cut/.exec(notices(ended))?.[1];
  reportCase(task, "drain.at_limit cut: three WebSockets (one at an old worker) and a TCP connection", {
    saw: `rota says that ${said} are cut, ${closedOf(all)} were`,
  });
  expect(said).toBe("4");
  expect(notices(ended)).toMatch(/held by .*old worker \d+/);
  for (const one of all) one[Symbol.dispose]();
});

test("go-on: as many are lost as rota says it gives up", async ({ task }) => {
  const all = await openAll();
  const ended = await deploy(["web1"], { within: "1s", at_limit: "go-on" });
  expect(ended.code, ended.stderr).toBe(0);
  await untilClosed(all, 3);
  const said = /drain\.at_limit is go-on: (\d+) sessions are given up/.exec(notices(ended))?.[1];
  reportCase(task, "drain.at_limit go-on: two WebSockets and a TCP connection", {
    saw: `rota says that ${said} are given up, ${closedOf(all)} were lost`,
  });
  expect(said).toBe("3");
  expect(await lab.node("web1").release()).toBe(`${releases}`);
  for (const one of all) one[Symbol.dispose]();
});

test("a WebSocket at a server that tracks the node's, outside of the pool's backends, is waited for", async ({
  task,
}) => {
  reportCase(task, "a session of a server that tracks the node's is waited for");
  // Round robin: one of two.
  const both = [
    await openWebSocket(url(), { backend: "follow" }),
    await openWebSocket(url(), { backend: "follow" }),
  ];
  const ended = await deploy(["web1"], { within: "1s" });
  expect(ended.code).toBe(1);
  expect(ended.stderr).toMatch(/1 session left \(lb1: 1\); held by 127\.\S+ for \d+s \(lb1\/follow\/web1\)/);
  expect(closedOf(both)).toBe(0);
  for (const one of both) one[Symbol.dispose]();
});

test.runIf(isFull)(
  "requests whose connection is refused and tried again are waited for",
  async ({ task }) => {
    const client = startClient({ url: url(), backend: "refused", cookie: "SRV=web1", stubborn: true });
    const ended = await deploy(["web1"], { within: "30s" }, [...own, "refused"]);
    await client.stop();
    reportCase(task, "requests whose connection is refused, and tried again, while the node is drained", {
      sent: client.sent,
      lost: client.lost.length,
    });
    expect(ended.code, ended.stderr).toBe(0);
    expect(client.lost).toEqual([]);
    expect(waits(ended)).toContain("a request that is being tried again");
  },
);

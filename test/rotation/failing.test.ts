import { expect, test } from "vitest";
import { fakeSite, type FakeSite, type Overrides } from "../fakes/site.ts";

const deploy = (site: FakeSite, ...words: string[]) => site.rota("deploy", "--set", "RELEASE=2", ...words);

test.concurrent(
  "a deploy over nodes that are well ends with all of them back, each told as little as needed",
  async () => {
    await using site = await fakeSite();
    const { code, out, err } = await deploy(site);
    expect(code, err).toBe(0);
    expect(out).toMatch(
      /^deploy fake: done in .*, 2 of 2 nodes \(run [0-9a-f]{6}\)\n {2}web1 {2}back .*\n {2}web2 {2}back/,
    );
    expect(site.stateOf("web1")).toBe("ready");
    const perBalancer = ["drain", "maint", "drain", "ready"].map(
      (state) => `set server app/web1 state ${state}`,
    );
    // A check that comes right after it left maint is one to be seen anew, which costs a line.
    const told = site.told("web1").filter((line) => !line.endsWith("health down"));
    expect(told.filter((line, i) => line !== told[i - 1])).toEqual([...perBalancer, ...perBalancer]);
    expect(site.host("web1").commands).toEqual(['echo "upgrading to $RELEASE"', "echo restarting"]);
  },
);

const failures: [what: string, pool: Overrides, said: RegExp][] = [
  [
    "whose upgrade fails",
    { upgrade: "echo one; echo two >&2; exit 3" },
    /web1: upgrade on web1: exit code 3\n {2}the end of its output:\n(?: {4}(one|two)\n){2}/,
  ],
  ["whose restart fails", { restart: { run: "kill -9 $$" } }, /web1: restart on web1: killed by SIGKILL/],
  [
    "whose check is never right",
    { check: { status: 201, within: "1s" } },
    /waited 1s for web1 to pass its check \(http:.*\): answered 200 instead of 201/,
  ],
  [
    "that answers another release",
    { check: { body: '"release": "{RELEASE}"', within: "1s" } },
    /the body lacks "release": "2"/,
  ],
  [
    "whose command takes too long",
    { upgrade: "sleep 5", limits: { command: "300ms" } },
    /web1: upgrade on web1: still running after 300ms; it may go on/,
  ],
  [
    "whose restart changes no process",
    { restart: { run: "true", proof: { pidfile: "/nowhere/app.pid" } }, check: { within: "1s" } },
    /a new process in \/nowhere\/app\.pid on web1: no process runs/,
  ],
];

test.concurrent.for(failures)(
  "a node %s stays out everywhere, and nobody else is touched",
  async ([, pool, said]) => {
    await using site = await fakeSite({ pool });
    const { code, err } = await deploy(site);
    expect(code).toBe(1);
    expect(err).toMatch(said);
    expect(err).toMatch(
      /\n {2}left: {2}web1 is out of rotation; web2 was not touched\n.*forgets that; rota status would name web1 first.\n {2}next: /,
    );
    expect(site.stateOf("web1")).toBe("maint");
    expect(site.told("web1").filter((line) => line.endsWith("ready"))).toEqual([]);
    expect(site.stateOf("web2")).toBe("ready");
    expect(site.told("web2")).toEqual([]);
    expect(site.host("web2").commands).toEqual([]);
    await using journal = await site.journal();
    expect([...(await journal.absences("fake")).keys()]).toEqual(["web1"]);
  },
);

test.concurrent("a host that dies while upgrading leaves its node out, and what it did unknown", async () => {
  await using site = await fakeSite();
  site.host("web1").dieDuring(/upgrading/);
  const { code, err } = await deploy(site);
  expect(code).toBe(1);
  expect(err).toContain("web1: upgrade on web1: the connection ended before the command answered");
  expect(site.stateOf("web1")).toBe("maint");
  expect(site.host("web2").commands).toEqual([]);
});

test.concurrent(
  "a node that HAProxy's own checks never pass stays out, and is never made ready",
  async () => {
    await using site = await fakeSite({
      pool: { limits: { ready: "300ms" } },
      haproxy: { autoCheck: false },
    });
    const { code, err } = await deploy(site);
    expect(code).toBe(1);
    expect(err).toMatch(/a fresh passing check of web1 on every balancer: lb1\/app\/web1: /);
    expect(site.stateOf("web1")).toBe("maint");
    expect(site.told("web1").filter((line) => line.endsWith("ready"))).toEqual([]);
  },
);

test.concurrent(
  "the node that failed goes first in the next deploy, and is back as it was before it failed",
  async () => {
    await using site = await fakeSite({ nodes: 3, pool: { upgrade: '[ "$RELEASE" != bad ] || exit 1' } });
    expect((await site.rota("deploy", "web2", "web3", "--set", "RELEASE=bad")).code).toBe(1);
    expect(site.stateOf("web2")).toBe("maint");
    const { code, events } = await deploy(site, "--json");
    expect(code).toBe(0);
    const batches = events.flatMap((event) => (event.type === "batch started" ? [event.nodes] : []));
    expect(batches).toEqual([["web2"], ["web1"], ["web3"]]);
    expect(site.stateOf("web2")).toBe("ready");
    await using journal = await site.journal();
    expect(await journal.absences("fake")).toEqual(new Map());
  },
);

test.concurrent(
  "sessions that do not end at the limit: the node goes back as found, and nothing was done on it",
  async () => {
    await using site = await fakeSite({ pool: { drain: { within: "300ms" } } });
    site.balancer("lb1").server("app", "web1").sessions = 3;
    const { code, err } = await deploy(site);
    expect(code).toBe(1);
    expect(err).toContain("waited 300ms for the sessions of web1 to end: 3 sessions left (lb1: 3)");
    expect(err).toContain("web1 is as it was found; web2 was not touched");
    expect(site.stateOf("web1")).toBe("ready");
    expect(site.host("web1").commands).toEqual([]);
  },
);

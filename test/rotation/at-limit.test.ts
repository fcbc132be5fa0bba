/** What becomes of sessions that do not end, and what is said of them. */
import { expect, test } from "vitest";
import type { Clock } from "../../src/base/clock.ts";
import type { Activity } from "../../src/rotation/ports.ts";
import { stickyFor } from "../../src/rotation/sticky.ts";
import { pagedSite } from "../fakes/paged-site.ts";
import { buildProgram, runUntilKilled } from "../fakes/program.ts";
import { fakeSite, type FakeSite, type Said } from "../fakes/site.ts";

const deploy = (site: FakeSite): Promise<Said> => site.rota("deploy", "web1", "--set", "RELEASE=2", "--json");

const within = "300ms";
const drained = (at_limit: "stop" | "cut" | "go-on") => ({ pool: { drain: { within, at_limit } } });

const noticesOf = ({ events }: Said): string =>
  events.flatMap((event) => (event.type === "notice" ? [event.text] : [])).join("\n");

const serverOf = (site: FakeSite, balancer = "lb1") => site.balancer(balancer).server("app", "web1");

const keptOf = async (site: FakeSite): Promise<string> => {
  await using journal = await site.journal();
  const [last] = await journal.runs("fake", 1);
  const run = last && (await journal.run(last.run));
  return (
    run?.outputs
      .flatMap(({ node, step, text }) => (step === "settle" ? [`${node}: ${text}`] : []))
      .join("\n") ?? ""
  );
};

test.concurrent("at the limit it is said who holds the node: the oldest first, five at most", async () => {
  await using site = await fakeSite(drained("stop"));
  serverOf(site).sessions = 7;
  serverOf(site, "lb2").sessions = 1;
  site.balancer("lb1").server("app", "web2").sessions = 1;
  const { code, err } = await deploy(site);
  expect(code).toBe(1);
  expect(err).toContain(
    "waited 300ms for the sessions of web1 to end: 8 sessions left (lb1: 7, lb2: 1); " +
      "held by 10.0.0.7:40000 for 1m06s (lb1/app/web1), 10.0.0.6:40000 for 1m05s (lb1/app/web1), " +
      "10.0.0.5:40000 for 1m04s (lb1/app/web1), 10.0.0.4:40000 for 1m03s (lb1/app/web1), " +
      "10.0.0.3:40000 for 1m02s (lb1/app/web1) and 3 more",
  );
  expect(site.stateOf("web1")).toBe("ready");
});

test.concurrent(
  "cut: maint first, then the sessions are ended, counted, seen gone and kept in the journal",
  async () => {
    await using site = await fakeSite(drained("cut"));
    serverOf(site).sessions = 3;
    serverOf(site, "lb2").sessions = 2;
    const said = await deploy(site);
    expect(said.code, said.err).toBe(0);
    expect(noticesOf(said)).toMatch(
      /5 sessions left .*held by 10\.0\.0\.3:40000 .*drain.at_limit is cut: 5 sessions are cut/,
    );
    expect(await keptOf(site)).toMatch(/^web1: .* 5 sessions are cut$/);
    const lines = site.balancer("lb1").lines.join(";").split(";");
    const shut = lines.indexOf("shutdown sessions server app/web1");
    expect(lines.indexOf("set server app/web1 state maint")).toBeLessThan(shut);
    expect(site.stateOf("web1")).toBe("ready");
  },
);

test.concurrent(
  "sessions that can't be cut: the node goes back as found, with a fresh pass of HAProxy's checks",
  async () => {
    await using site = await fakeSite(drained("cut"));
    Object.assign(serverOf(site), { sessions: 3, stuck: 1 });
    const { code, err } = await deploy(site);
    expect(code).toBe(1);
    expect(err).toMatch(
      /for the sessions of web1 to be gone after they were cut: 1 session left .*held by 10\.0\.0\.1/,
    );
    expect(err).toContain("web1 is as it was found");
    expect(site.host("web1").commands).toEqual([]);
    expect(site.told("web1")).toEqual(
      ["lb1", "lb2"].flatMap(() =>
        ["drain", "maint", "drain", "ready"].map((state) => `set server app/web1 state ${state}`),
      ),
    );
  },
);

test.concurrent("a node that became unwell while it was in maint for a cut stays out", async () => {
  await using site = await fakeSite({ pool: { ...drained("cut").pool, limits: { ready: "500ms" } } });
  Object.assign(serverOf(site), { sessions: 1, stuck: 1 });
  site.atStep("web1", "settle", () => (serverOf(site, "lb2").passes = false));
  const { code, err } = await deploy(site);
  expect(code).toBe(1);
  expect(err).toMatch(/left: +web1 is /);
  expect(site.stateOf("web1")).toBe("drain");
});

test.concurrent(
  "go-on: it is said how many sessions are given up, and they are not waited for again",
  async () => {
    await using site = await fakeSite(drained("go-on"));
    serverOf(site, "lb2").sessions = 2;
    const said = await deploy(site);
    expect(said.code, said.err).toBe(0);
    expect(noticesOf(said)).toMatch(
      /2 sessions left \(lb2: 2\); held by .*drain.at_limit is go-on: 2 sessions are given up/,
    );
    expect(await keptOf(site)).toContain("2 sessions are given up");
    expect(site.host("web1").commands.join()).toContain("upgrading");
    expect(site.stateOf("web1")).toBe("ready");
  },
);

test.concurrent.for(["cut", "go-on"] as const)(
  "%s needs an answer: a balancer that is silent at the limit stops the rollout",
  async (atLimit) => {
    await using site = await fakeSite(drained(atLimit));
    serverOf(site).sessions = 1;
    const lb1 = site.balancer("lb1");
    site.whenWaiting("web1", /1 session left/, () => {
      lb1.always("close");
      setTimeout(() => lb1.always(undefined), 800);
    });
    const { code, err } = await deploy(site);
    expect(code).toBe(1);
    expect(err).toContain("waited 300ms for the sessions of web1 to end");
    expect(site.host("web1").commands).toEqual([]);
  },
);

test.concurrent("by hand: a drain follows at_limit too, and the node is held", async () => {
  await using site = await fakeSite(drained("cut"));
  serverOf(site).sessions = 2;
  const { code, err, out } = await site.rota("drain", "web1", "--reason", "disk swap");
  expect(code, err).toBe(0);
  expect(`${out}${err}`).toContain("2 sessions are cut");
  expect(site.stateOf("web1")).toBe("maint");
  serverOf(site).sessions = 0;
  expect((await site.rota("ready", "web1")).code).toBe(0);
  expect(site.stateOf("web1")).toBe("ready");
});

test.concurrent.for(["cut", "go-on"] as const)(
  "killed right after it said what %s gives up: the node is known to be out, and a resume does the rest",
  async (atLimit) => {
    await buildProgram();
    await using site = await fakeSite(drained(atLimit));
    serverOf(site).sessions = 2;
    const words = ["deploy", "web1", "-i", site.inventory, "--set", "RELEASE=2"];
    const run = await runUntilKilled({ type: "notice", node: "web1" }, words, { env: site.env });
    expect(site.stateOf("web1")).toBe(atLimit === "cut" ? "maint" : "drain");
    expect(site.host("web1").commands).toEqual([]);
    expect((await site.rota("status")).out).toContain(run);
    const { code, err } = await site.rota("resume");
    expect(code, err).toBe(0);
    expect(site.stateOf("web1")).toBe("ready");
    expect(site.host("web1").commands.join()).toContain("upgrading");
  },
);

test.concurrent(
  "by the status page: who holds it is said with an operator's rights, and go-on goes on",
  async () => {
    await using site = await pagedSite({
      pool: { drain: { via: "status-page", within: "800ms", at_limit: "go-on" } },
    });
    serverOf(site).sessions = 2;
    const said = await deploy(site);
    expect(said.code, said.err).toBe(0);
    expect(noticesOf(said)).toMatch(
      /2 sessions left \(lb1: 2\); held by 10\.0\.0\.2.*2 sessions are given up/,
    );
    expect(site.told("web1")).toEqual([]);
  },
);

test.concurrent("a balancer that does not tell who holds a node is not quoted", async () => {
  await using site = await pagedSite({
    pool: { drain: { via: "status-page", within: "800ms" } },
    haproxy: { level: "user" },
  });
  serverOf(site).sessions = 2;
  const { code, err } = await deploy(site);
  expect(code).toBe(1);
  expect(err).toContain("2 sessions left (lb1: 2)");
  expect(err).not.toContain("held by");
});

test.concurrent(
  "sessions of a server that tracks the node's in a backend that is not the pool's are waited for",
  async () => {
    await using site = await fakeSite({
      backends: ["app", "ws"],
      pool: { backends: ["app"], drain: { within } },
    });
    for (const lb of site.balancers) lb.server("ws", "web1").tracks = "app/web1";
    site.balancer("lb2").server("ws", "web1").sessions = 1;
    const { code, err } = await deploy(site);
    expect(code).toBe(1);
    expect(err).toContain("1 session left (lb2: 1); held by 10.0.0.1:40000 for 1m (lb2/ws/web1)");
    expect(site.host("web1").commands).toEqual([]);
  },
);

test.concurrent(
  "clients that keep coming through a drain are sent elsewhere by maint, and settle ends",
  async () => {
    await using site = await fakeSite({ pool: { drain: { within: "20s" } } });
    const server = serverOf(site);
    const coming = setInterval(() => {
      if ((server.admin & 1) === 0) server.total += 1;
    }, 40);
    const said = await deploy(site).finally(() => clearInterval(coming));
    expect(said.code, said.err).toBe(0);
    expect(noticesOf(said)).toMatch(/^lb1\/app\/web1: clients that are bound to web1 .* go elsewhere$/);
    expect(site.told("web1").filter((line) => line.endsWith("maint")).length).toBeGreaterThan(0);
  },
);

test.concurrent("after a reload such a place is told maint again, not drain", async () => {
  await using site = await fakeSite({ pool: { drain: { within: "3s" } } });
  const server = serverOf(site);
  server.sessions = 1;
  let lines = 0;
  const coming = setInterval(() => {
    if (site.balancer("lb1").stateOf("app", "web1") !== "maint") server.total += 1;
    else if (lines === 0) {
      lines = site.balancer("lb1").lines.length;
      site.balancer("lb1").reload();
      server.sessions = 1;
    }
  }, 40);
  const { code } = await deploy(site).finally(() => clearInterval(coming));
  expect(code).toBe(1);
  const after = site.balancer("lb1").lines.slice(lines).join(";").split(";");
  expect(after.find((line) => line.startsWith("set server"))).toBe("set server app/web1 state maint");
  expect(site.stateOf("web1")).toBe("ready");
});

const drain: Activity = {
  balancer: "lb1",
  backend: "app",
  server: "web1",
  process: 1,
  out: true,
  status: "DRAIN",
  sessions: 0,
  queued: 0,
  total: 7,
  retried: 0,
  health: undefined,
};

/** Looks half a second apart. */
function judged(...parts: Partial<Activity>[]): number[] {
  let now = 0;
  const clock: Clock = { now: () => now, today: () => new Date(0), sleep: () => Promise.resolve() };
  const sticky = stickyFor(clock, 60_000);
  return parts.map((part) => {
    now += 500;
    return sticky([{ ...drain, ...part }]).length;
  });
}

test("requests count as a sticky client's only when they come a second after the drain", () => {
  expect(judged({}, { total: 8 }, { total: 9 }, { total: 9 }, { total: 9 })).toEqual([0, 0, 1, 1, 1]);
  expect(judged({}, { total: 8 }, { total: 8 }, { total: 8 }, { total: 8 })).toEqual([0, 0, 0, 0, 0]);
});

test("what was queued, or is tried again, came before", () => {
  expect(judged({ queued: 2 }, { queued: 2 }, { queued: 1, total: 8 }, { total: 9 })).toEqual([0, 0, 0, 0]);
  expect(judged({}, {}, { total: 8, retried: 1 }, { total: 9, retried: 2 })).toEqual([0, 0, 0, 0]);
});

test("while requests run maint waits for a moment without any, five seconds at most", () => {
  const busy = Array.from({ length: 12 }, (_, i) => ({ sessions: 1, total: 8 + i }));
  expect(judged(...busy.slice(0, 8), { total: 20 })).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(judged(...busy).indexOf(1)).toBe(10);
});

test("a new worker, a place that is not out and one in maint begin anew", () => {
  expect(judged({}, {}, { total: 8, process: 2 }, { total: 9, process: 2 })).toEqual([0, 0, 0, 0]);
  expect(judged({}, {}, { out: false }, { total: 9 }, { total: 10 })).toEqual([0, 0, 0, 0, 0]);
  expect(judged({}, {}, { total: 9, status: "MAINT" })).toEqual([0, 0, 0]);
});

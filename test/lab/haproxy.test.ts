import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { haproxies } from "../../src/balancer/balancers.ts";
import { AnswerError, openRuntime, setState, showCliLevel, showInfo } from "../../src/balancer/haproxy.ts";
import { notYet, yes } from "../../src/base/poll.ts";
import type { SocketAddress } from "../../src/inventory/fleet.ts";
import type { Activity, Balancers, Place } from "../../src/rotation/ports.ts";
import { type FakeApp, fakeApp } from "../fakes/app.ts";
import { loopbackPrefix } from "./addresses.ts";
import { reportCase } from "./cases.ts";
import { type LabBalancer, startBalancer } from "./balancer.ts";
import { childrenOf, runs } from "./family.ts";
import { processesIn } from "./processes.ts";
import { waitFor } from "./wait.ts";

interface Real extends AsyncDisposable {
  balancer: LabBalancer;
  balancers: Balancers;
  app: FakeApp;
}

/** A real HAProxy with two servers in two backends, one of them with the name of the frontend. */
async function realHaproxy(checks: { rise?: number; fall?: number } = {}): Promise<Real> {
  const folder = await mkdtemp(join(tmpdir(), "hap-")); // short: a Unix socket's path has at most 107 bytes
  const processes = processesIn(folder);
  const app = await fakeApp();
  const address = `127.0.0.1:${app.port}`;
  const end = async (): Promise<void> => {
    await processes.end();
    await app[Symbol.asyncDispose]();
  };
  try {
    const balancer = await startBalancer({
      name: "lb1",
      address: `${loopbackPrefix()}.201`,
      folder,
      plan: {
        backends: ["app", "http"],
        servers: [
          { name: "web1", address },
          { name: "web.2:x", address },
        ],
        checkInterMs: 100,
        rise: 2,
        fall: 2,
        ...checks,
        backendLines: [],
        serverOptions: "",
      },
      processes,
    });
    const real = { balancer, balancers: at(unix(balancer.adminSocket)), app };
    await untilStatus(real.balancers, everywhere, "UP");
    return { ...real, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

const unix = (path: string): SocketAddress => ({ kind: "unix", path });
const at = (socket: SocketAddress): Balancers => haproxies([{ name: "lb1", socket }]);

const place = (backend: string, server = "web.2:x"): Place => ({ balancer: "lb1", backend, server });
const everywhere = [place("app"), place("http")];
const web1 = place("app", "web1");

const untilStatus = (balancers: Balancers, places: Place[], status: string): Promise<Activity[]> =>
  waitFor(`${status} everywhere`, 5_000, async () => {
    const seen = await balancers.watch(places);
    const saw = seen.map((row) => row.status).join(", ");
    return seen.every((row) => row.status === status) ? yes(seen) : notYet(saw);
  });

test("a survey reads servers, totals and rights of a real HAProxy, over Unix and TCP", async () => {
  await using real = await realHaproxy();
  const { adminSocket, tcp } = real.balancer;
  for (const socket of [unix(adminSocket), { kind: "tcp", ...tcp } as const]) {
    const { entries, backends, unread } = await at(socket).survey("change");
    expect(unread).toEqual([]);
    const as = {
      admin: "ready",
      weight: 1,
      status: "UP",
      checked: true,
      backup: false,
      outBecause: undefined,
    };
    expect(entries).toMatchObject(
      [web1, place("app"), place("http", "web1"), place("http")].map((one) => ({ ...one, ...as })),
    );
    expect(backends).toEqual([
      { balancer: "lb1", backend: "app", servers: 2, serving: 2, backups: 0, weight: undefined, absent: [] },
      { balancer: "lb1", backend: "http", servers: 2, serving: 2, backups: 0, weight: undefined, absent: [] },
    ]);
  }
});

test("a server is drained, watched, counted and put back, also where a frontend has its backend's name", async () => {
  await using real = await realHaproxy();
  const { balancers, balancer } = real;
  await balancers.set(everywhere, "drain");
  expect(await balancer.ask("show servers state http")).toMatch(/ web\.2:x \S+ 2 8 /);
  expect(await balancers.look(everywhere)).toMatchObject([{ admin: "drain" }, { admin: "drain" }]);
  expect(await balancers.capacity(everywhere)).toMatchObject(
    ["app", "http"].map((backend) => ({
      balancer: "lb1",
      backend,
      servers: 2,
      serving: 1,
      backups: 0,
      absent: [{ server: "web.2:x", status: "DRAIN", outBecause: "person" }],
    })),
  );
  await fetch(balancer.url);
  const [first] = await balancers.watch([web1]);
  expect(first).toMatchObject({ out: false, sessions: 0, queued: 0, total: 1, retried: 0 });
  expect(await balancers.watch(everywhere)).toMatchObject([
    { out: true, total: 0, health: { now: 3, full: 3, fall: 2 } },
    { out: true, total: 0 },
  ]);
  await balancers.set(everywhere, "maint");
  expect(await balancers.watch(everywhere)).toMatchObject([
    { status: "MAINT", out: true, health: undefined },
    { status: "MAINT", out: true },
  ]);
  await balancers.set(everywhere, "ready");
  expect(await balancers.look(everywhere)).toMatchObject([{ admin: "ready" }, { admin: "ready" }]);
});

test("a distrusted server is up again only after fresh checks", async ({ task }) => {
  reportCase(task, "a drained server whose health is taken back is UP again only after fresh checks");
  await using real = await realHaproxy();
  const { app, balancers } = real;
  app.answers({ status: 503 });
  await balancers.distrust([web1]);
  expect(await balancers.watch([web1])).toMatchObject([{ status: "DOWN", out: true, health: { now: 0 } }]);
  app.answers({ status: 200 });
  const [seen] = await untilStatus(balancers, [web1], "DRAIN");
  expect(seen).toMatchObject({ out: true, health: { now: 3, full: 3 } });
});

test("a drained server that goes down is still out, and after a reload it is not", async ({ task }) => {
  reportCase(task, "a reload without a state file forgets a drain, and rota sees it");
  await using real = await realHaproxy();
  const { app, balancer, balancers } = real;
  await balancers.set([web1], "drain");
  app.answers({ status: 503 });
  const [before] = await untilStatus(balancers, [web1], "DOWN");
  expect(before?.out).toBe(true);
  await balancer.reload();
  const [after] = await untilStatus(balancers, [web1], "DOWN");
  expect(after?.out).toBe(false);
  expect(after?.process).not.toBe(before?.process);
});

test("other numbers after a reload are learned", async ({ task }) => {
  reportCase(task, "a reload gives backends and servers other numbers");
  await using real = await realHaproxy();
  const { balancer, balancers } = real;
  await balancers.set(everywhere, "drain");
  await balancers.watch(everywhere);
  await reloadWith(balancer, (config) =>
    config.replace("\nbackend app", "\nbackend first\n  server web1 127.0.0.1:9\n\nbackend app"),
  );
  expect(await balancers.watch(everywhere)).toMatchObject(everywhere.map((one) => ({ ...one, out: false })));
  expect(await balancers.capacity(everywhere)).toMatchObject([{ backend: "app" }, { backend: "http" }]);
});

test("nothing that is set while HAProxy is reloaded over and over fails", async ({ task }) => {
  reportCase(task, "800 state changes during four reloads, none of them fails");
  await using real = await realHaproxy();
  const { balancer, balancers } = real;
  for (let i = 0; i < 4; i++) {
    // Often enough that some come before the new worker and some after.
    const telling = async (): Promise<void> => {
      for (let told = 0; told < 200; told++) await balancers.set([web1], "drain");
    };
    await Promise.all([balancer.reload(), telling()]);
  }
  await balancers.set([web1], "drain");
  expect(await balancers.watch([web1])).toMatchObject([{ out: true }]);
});

test("a server that tracks another, one without checks and a backup are told apart", async () => {
  await using real = await realHaproxy();
  const { balancer, balancers } = real;
  await reloadWith(
    balancer,
    (config) =>
      `${config}\nbackend more\n  server follower 127.0.0.1:9 track app/web1\n  server blind 127.0.0.1:9\n  server spare 127.0.0.1:9 backup weight 0\n`,
  );
  const more = ["follower", "blind", "spare"].map((server) => place("more", server));
  await balancers.set([web1], "maint");
  await balancers.set([place("more", "follower")], "drain");
  expect(await balancers.look(more)).toMatchObject([
    {
      status: "MAINT (via app/web1)",
      tracks: "app/web1",
      checked: false,
      outBecause: "person",
      admin: "drain",
    },
    { status: "no check", checked: false, outBecause: undefined },
    { backup: true, weight: 0, outBecause: "person" },
  ]);
  expect(await balancers.watch(more)).toMatchObject([{ out: true }, { out: false }, { out: false }]);
  expect(await balancers.capacity([place("more", "blind")])).toMatchObject([{ servers: 2, serving: 1 }]);
});

test("a socket of a lower level is refused, and the message names the line that gives the rights", async () => {
  await using real = await realHaproxy();
  const { operatorSocket, userSocket } = real.balancer;
  for (const [level, path] of [
    ["operator", operatorSocket],
    ["user", userSocket],
  ] as const) {
    const balancers = at(unix(path));
    const { unread } = await balancers.survey("change");
    expect(unread.map(({ error }) => [error.code, error.message])).toEqual([
      [
        "BALANCER_RIGHTS",
        `lb1: its socket gives the level ${level}, and draining needs admin: in HAProxy's global section write "stats socket ${path} level admin"`,
      ],
    ]);
    expect((await balancers.survey("read")).entries).toHaveLength(4);
    await expect(balancers.set([web1], "drain")).rejects.toMatchObject({ code: "BALANCER_RIGHTS" });
    expect(await openRuntime(unix(path)).ask(showCliLevel())).toEqual([level]);
  }
});

test("what HAProxy does not have is named", async () => {
  await using real = await realHaproxy();
  const { balancers } = real;
  for (const missing of [place("app", "web9"), place("nope", "web1")]) {
    await expect(balancers.look([missing])).rejects.toMatchObject({ code: "SERVER_MISSING" });
    await expect(balancers.watch([missing])).rejects.toMatchObject({ code: "SERVER_MISSING" });
    await expect(balancers.set([missing], "drain")).rejects.toMatchObject({ code: "SERVER_MISSING" });
  }
  const runtime = openRuntime(unix(real.balancer.adminSocket));
  await expect(runtime.ask(setState(place("app", "web9"), "drain"))).rejects.toThrow(AnswerError);
});

test("a long line of commands is carried out whole", async () => {
  await using real = await realHaproxy();
  const runtime = openRuntime(unix(real.balancer.adminSocket));
  const many = Array.from({ length: 200 }, () => setState(web1, "drain"));
  expect(await runtime.ask(...many)).toHaveLength(200);
  expect(await real.balancers.watch(Array.from({ length: 600 }, () => web1))).toHaveLength(600);
});

test("a balancer that stands still is given up in time, and answers again once it goes on", async ({
  task,
}) => {
  reportCase(task, "a balancer stands still, goes on, and dies: each time rota gives up in time");
  await using real = await realHaproxy();
  const { balancer } = real;
  const socket = unix(balancer.adminSocket);
  const balancers = haproxies([{ name: "lb1", socket }], { connect: 300, reply: 300 });
  balancer.freeze();
  await expect(balancers.watch([web1])).rejects.toMatchObject({ code: "BALANCER_UNREACHABLE" });
  balancer.thaw();
  expect(await balancers.watch([web1])).toMatchObject([web1]);
  await balancer.kill();
  await expect(balancers.watch([web1])).rejects.toMatchObject({ code: "BALANCER_UNREACHABLE" });
  await expect(openRuntime(socket).ask(showInfo())).rejects.toMatchObject({ name: "NoAnswer" });
});

test("a worker that is replaced while it is asked again and again is left at once, and ends", async ({
  task,
}) => {
  reportCase(task, "reloads while every question follows the other: the old worker is left, and ends");
  await using real = await realHaproxy();
  const { balancer, balancers } = real;
  const seen = new Set<number>();
  for (let i = 0; i < 3; i += 1) {
    const over = new AbortController();
    const reload = balancer.reload().finally(() => over.abort());
    while (!over.signal.aborted) for (const { process } of await balancers.watch([web1])) seen.add(process);
    await reload;
    const [after] = await balancers.watch([web1]);
    expect(workersOf(balancer)).toContain(after?.process);
    await waitFor("the old worker to end", 5_000, async () => {
      const [now] = await balancers.watch([web1]);
      expect(now?.process).toBe(after?.process);
      const workers = workersOf(balancer);
      return workers.length === 1 ? yes(undefined) : notYet(`workers ${workers.join(" ")}`);
    });
  }
  expect(seen.size).toBeGreaterThan(1);
});

const workersOf = ({ pid }: LabBalancer): number[] => childrenOf(pid).filter(runs);

async function reloadWith(balancer: LabBalancer, change: (config: string) => string): Promise<void> {
  const config = await readFile(balancer.configFile, "utf8");
  await writeFile(balancer.configFile, change(config));
  await balancer.reload();
}

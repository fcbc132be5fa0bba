/** Leaving by the status page, with every fault: nothing is ever told to a balancer. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { FakeSite } from "../fakes/site.ts";
import { isMarked, pagedSite } from "../fakes/paged-site.ts";
import { buildProgram, runProgram, runUntilKilled } from "../fakes/program.ts";

const deploy = (site: FakeSite, ...words: string[]) =>
  site.rota("deploy", "web1", "--set", "RELEASE=2", "--json", ...words);

const absencesOf = async (site: FakeSite): Promise<string[]> => {
  await using journal = await site.journal();
  return [...(await journal.absences("fake")).keys()];
};

const saidBy = ({ events }: Awaited<ReturnType<typeof deploy>>, type: "waiting" | "notice"): string =>
  events
    .flatMap((event) => (event.type !== type ? [] : [event.type === "waiting" ? event.saw : event.text]))
    .join("\n");

test.concurrent(
  "with an operator's rights a node leaves, is seen down, is worked on, and is seen up again",
  async () => {
    await using site = await pagedSite();
    let marked: boolean | undefined;
    site.atStep("web1", "upgrade", () => (marked = isMarked(site, "web1")));
    const said = await deploy(site);
    expect(said.code, said.err).toBe(0);
    expect(marked).toBe(true);
    expect(isMarked(site, "web1")).toBe(false);
    expect(site.told("web1")).toEqual([]);
    expect(site.balancer("lb1").server("app", "web1").operational).toBe(2);
    expect(await absencesOf(site)).toEqual([]);
  },
);

test.concurrent(
  "a page that never answers 404: the rollout stops, and the node is as it was found",
  async () => {
    await using site = await pagedSite({
      pool: { drain: { via: "status-page", within: "500ms" }, status_page: { out: "true" } },
    });
    const said = await deploy(site);
    expect(said.code).toBe(1);
    expect(said.err).toContain("for web1 to answer 404 on its page: answered 200 instead of 404");
    expect(said.err).toContain("web1 is as it was found");
    expect(said.events).not.toContainEqual(expect.objectContaining({ step: "settle" }));
    expect(await absencesOf(site)).toEqual([]);
  },
);

test.concurrent("an `out` that fails leaves the node as it was found", async () => {
  await using site = await pagedSite({ pool: { status_page: { out: "touch out-of-rotation; exit 7" } } });
  const said = await deploy(site);
  expect(said.code).toBe(1);
  expect(said.err).toContain("web1: drain on web1: exit code 7");
  expect(said.err).toContain("web1 is as it was found");
  expect(isMarked(site, "web1")).toBe(false);
  expect(await absencesOf(site)).toEqual([]);
});

test.concurrent("a balancer that can't be read in the middle of the wait is asked again", async () => {
  await using site = await pagedSite();
  site.atStep("web1", "settle", () => site.balancer("lb2").next("close", "reset", "cut"));
  const said = await deploy(site);
  expect(said.code, said.err).toBe(0);
  expect(saidBy(said, "waiting")).toMatch(/lb2: the connection was closed/);
});

test.concurrent(
  "a balancer that never sees the node out: at the limit the page answers again, and it says why",
  async () => {
    await using site = await pagedSite({ pool: { drain: { via: "status-page", within: "600ms" } } });
    Object.defineProperty(site.balancer("lb2").server("app", "web1"), "passes", { get: () => true });
    const said = await deploy(site);
    expect(said.code).toBe(1);
    expect(said.err).toMatch(/waited 600ms for every balancer to see web1 out: lb2\/app: web1 UP/);
    expect(said.err).toContain("web1 is as it was found");
    expect(isMarked(site, "web1")).toBe(false);
    expect(site.host("web1").commands.join("\n")).not.toContain("upgrading");
    expect(await absencesOf(site)).toEqual([]);
  },
);

test.concurrent("the limit is no less than HAProxy's checks may need by inter and fall", async () => {
  await using site = await pagedSite({
    pool: {
      drain: { via: "status-page", within: "100ms" },
      status_page: { inter: "200ms", fall: 2, timeout: "100ms" },
    },
    haproxy: { autoCheck: false },
  });
  site.atStep("web1", "drain", () =>
    setTimeout(() => site.balancers.forEach((lb) => (lb.check(), lb.check())), 800),
  );
  site.atStep("web1", "ready", () =>
    setTimeout(() => site.balancers.forEach((lb) => (lb.check(), lb.check())), 300),
  );
  const said = await deploy(site);
  expect(said.err).not.toMatch(/to see web1 out/);
});

test.concurrent("a request that does not end keeps the node from being touched", async () => {
  await using site = await pagedSite({ pool: { drain: { via: "status-page", within: "800ms" } } });
  site.balancer("lb1").server("app", "web1").sessions = 3;
  const said = await deploy(site);
  expect(said.code).toBe(1);
  expect(said.err).toContain("for the requests of web1 to end: 3 sessions left (lb1: 3)");
  expect(said.err).toContain("web1 is as it was found");
  expect(isMarked(site, "web1")).toBe(false);
});

test.concurrent(
  "a node whose check fails stays out by its page, is known, and a resume puts it right",
  async () => {
    await using site = await pagedSite({
      pool: { check: { url: "http://{host}:{PORT}/_status", within: "1500ms" } },
    });
    const sick = site.app("web1");
    site.atStep("web1", "restart", () => sick.answers({ status: 503 }));
    const said = await deploy(site);
    expect(said.code).toBe(1);
    expect(said.err).toContain("answered 503 instead of 200 or 404");
    expect(said.err).toContain("left:  web1 is out of rotation");
    expect(isMarked(site, "web1")).toBe(true);
    expect(await absencesOf(site)).toEqual(["web1"]);
    expect((await site.rota("status")).out).toMatch(
      /◌ web1 +DOWN +0 +0 +0 +DOWN +0 +0 +0 +left out by run \w+/,
    );
    sick.answers(() => (isMarked(site, "web1") ? { status: 404 } : { status: 200 }));
    const again = await site.rota("resume", "--retry");
    expect(again.code, again.err).toBe(0);
    expect(isMarked(site, "web1")).toBe(false);
    expect(await absencesOf(site)).toEqual([]);
  },
);

test.concurrent(
  "an app that forgets that it is out, and is not well, is told out again, and that is said",
  async () => {
    await using site = await pagedSite({
      pool: {
        restart: { via: "command", run: "rm -f out-of-rotation" },
        check: { url: "http://{host}:{PORT}/_status", body: "release 2", within: "1500ms" },
      },
    });
    const said = await deploy(site);
    expect(said.code).toBe(1);
    expect(saidBy(said, "notice")).toContain(
      "web1 answers by itself that it is well; the balancers may have sent it",
    );
    expect(isMarked(site, "web1")).toBe(true);
  },
);

test.concurrent("an app that forgets that it is out, and is well, goes back, and that is said", async () => {
  await using site = await pagedSite({ pool: { restart: { via: "command", run: "rm -f out-of-rotation" } } });
  const said = await deploy(site);
  expect(said.code, said.err).toBe(0);
  expect(saidBy(said, "notice")).toContain("web1 answers 200 by itself since its restart");
});

test.concurrent(
  "a page that does not answer in full after `in` is told out again: the node was not proven",
  async () => {
    await using site = await pagedSite({
      pool: { check: { url: "http://{host}:{PORT}/_status", within: "1500ms" } },
    });
    site.atStep("web1", "ready", () =>
      site.app("web1").answers(() => (isMarked(site, "web1") ? { status: 404 } : { status: 500 })),
    );
    const said = await deploy(site);
    expect(said.code).toBe(1);
    expect(said.err).toContain("answered 500 instead of 200");
    expect(said.err).toContain("web1 is out of rotation");
    expect(isMarked(site, "web1")).toBe(true);
  },
);

test.concurrent("a node that somebody else holds out by its page is left alone", async () => {
  await using site = await pagedSite({ haproxy: { autoCheck: false } });
  await site.host("web1").write("out-of-rotation");
  const said = await deploy(site);
  expect(saidBy(said, "notice")).toContain(
    "web1 is left alone: its page answers 404 already: somebody holds it out",
  );
  expect(isMarked(site, "web1")).toBe(true);
  expect(site.host("web1").commands).toEqual([]);
});

test.concurrent("by hand: drained and held, left so by a deploy, back when proven", async () => {
  await using site = await pagedSite();
  const drained = await site.rota("drain", "web1", "--reason", "disk swap");
  expect(drained.code, drained.err).toBe(0);
  expect(isMarked(site, "web1")).toBe(true);
  expect((await deploy(site)).code).toBe(3);
  const along = await deploy(site, "--include-held");
  expect(along.code, along.err).toBe(0);
  expect(isMarked(site, "web1")).toBe(true);
  const back = await site.rota("ready", "web1", "--set", "RELEASE=2");
  expect(back.code, back.err).toBe(0);
  expect(isMarked(site, "web1")).toBe(false);
  expect(site.told("web1")).toEqual([]);
  const rotated = await site.rota("rotate", "web1", "--set", "RELEASE=2");
  expect(rotated.code, rotated.err).toBe(0);
});

test.concurrent("the guard of min_serving is kept: the other node is down, so this one stays", async () => {
  await using site = await pagedSite({ pool: { limits: { connect: "10s", capacity: "300ms" } } });
  await site.host("web2").write("out-of-rotation");
  await vi.waitFor(() => expect(site.balancer("lb1").server("app", "web2").operational).toBe(0));
  const said = await deploy(site);
  expect(said.code).toBe(3);
  expect(said.err).toContain("1 of 2 serve, 1 must stay");
  expect(isMarked(site, "web1")).toBe(false);
});

test.concurrent("a server that HAProxy does not check is refused before anything is touched", async () => {
  await using site = await pagedSite();
  site.balancer("lb2").server("app", "web1").checked = false;
  const said = await deploy(site);
  expect(said.code).toBe(3);
  expect(said.err).toContain("lb2/app/web1: HAProxy runs no check there, so no status page can take it out");
});

test.concurrent("by HTTP calls: no command is run for leaving and returning", async () => {
  await using site = await pagedSite({
    pool: {
      status_page: {
        out: { post: "http://{host}:{PORT}/out" },
        in: { post: "http://{host}:{PORT}/in" },
      },
    },
  });
  const app = site.app("web1");
  const isOut = (): boolean =>
    app.requests.findLast(({ url }) => url === "/out" || url === "/in")?.url === "/out";
  app.answers((url) => (url === "/_status" && isOut() ? { status: 404 } : { status: 200 }));
  for (const lb of site.balancers)
    Object.defineProperty(lb.server("app", "web1"), "passes", { get: () => !isOut() });
  const said = await deploy(site);
  expect(said.code, said.err).toBe(0);
  expect(app.requests.map(({ url }) => url).filter((url) => url !== "/_status")).toEqual(["/out", "/in"]);
  expect(site.host("web1").commands.join("\n")).not.toContain("out-of-rotation");
});

test.concurrent("an HTTP call that is refused leaves the node as it was found", async () => {
  await using site = await pagedSite({
    pool: { status_page: { out: { post: "http://{host}:{PORT}/out" } } },
  });
  site.app("web1").answers((url) => (url === "/_status" ? { status: 200 } : { status: 403 }));
  const said = await deploy(site);
  expect(said.code).toBe(1);
  expect(said.err).toMatch(/drain on web1: POST http:\S+: answered 403/);
  expect(said.err).toContain("web1 is as it was found");
});

test("killed while it waits to be seen out, or at work: a resume does the rest", async () => {
  await buildProgram();
  for (const step of ["settle", "restart", "ready"]) {
    await using site = await pagedSite();
    const words = ["deploy", "web1", "-i", site.inventory, "--set", "RELEASE=2"];
    await runUntilKilled({ type: "step started", node: "web1", step }, words, { env: site.env });
    expect(await absencesOf(site)).toEqual(["web1"]);
    const { code, stderr } = await runProgram(["resume", "-i", site.inventory], { env: site.env });
    expect(code, stderr).toBe(0);
    expect(isMarked(site, "web1")).toBe(false);
    expect(await absencesOf(site)).toEqual([]);
  }
});

test.concurrent(
  "a balancer that never sees the node up again: the next does not leave, and it is said",
  async () => {
    await using site = await pagedSite({ pool: { limits: { connect: "10s", ready: "400ms" } } });
    site.atStep("web1", "ready", () =>
      Object.defineProperty(site.balancer("lb2").server("app", "web1"), "passes", { get: () => false }),
    );
    const said = await site.rota("deploy", "--set", "RELEASE=2", "--json");
    expect(said.code).toBe(1);
    expect(said.err).toContain("waited 400ms for every balancer to see web1 up: lb2/app: web1 DOWN");
    expect(said.err).toContain("web1 is back in part at most (see rota status); web2 was not touched");
    expect(await absencesOf(site)).toEqual(["web1"]);
  },
);

test.concurrent(
  "a node that failed and comes back by itself while the next is out is told out again",
  async () => {
    await using site = await pagedSite({
      pool: { upgrade: '[ "$ROTA_NODE" = web2 ]', rollout: { max_failures: 1, min_serving: 0 } },
    });
    const marker = join(site.host("web1").folder, "out-of-rotation");
    site.atStep("web2", "check", () => rmSync(marker));
    const said = await site.rota("deploy", "--set", "RELEASE=2", "--json");
    expect(said.code).toBe(1);
    expect(saidBy(said, "notice")).toContain("web1 answers by itself that it is well");
    expect(isMarked(site, "web1")).toBe(true);
  },
);

test.concurrent("abort tells no balancer, also where the app came back by itself", async () => {
  await using site = await pagedSite({ pool: { upgrade: "exit 3" } });
  expect((await deploy(site)).code).toBe(1);
  rmSync(join(site.host("web1").folder, "out-of-rotation"));
  await vi.waitFor(() => expect(site.balancer("lb1").server("app", "web1").operational).toBe(2));
  const { code, err } = await site.rota("abort");
  expect(code, err).toBe(0);
  expect(site.told("web1")).toEqual([]);
  expect((await site.rota("status")).out).toContain("held by");
});

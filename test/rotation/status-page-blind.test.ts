/** Where no balancer can be asked, or only its statistics page: what is known then, and what is waited for. */
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { portOf } from "../fakes/app.ts";
import { isMarked, pagedSite } from "../fakes/paged-site.ts";
import type { FakeSite, FakeSiteOptions, Overrides } from "../fakes/site.ts";

const known = { inter: "200ms", fall: 2, rise: 3, fastinter: "100ms", timeout: "50ms", linger: "300ms" };

async function siteWith(balancers: object | undefined, options: FakeSiteOptions = {}): Promise<FakeSite> {
  const { pool, ...others } = options;
  const site = await pagedSite({ ...others, pool: { status_page: known, ...pool } });
  const inventory: Overrides = parse(readFileSync(site.inventory, "utf8"));
  writeFileSync(site.inventory, stringify({ ...inventory, balancers }));
  return site;
}

const deploy = (site: FakeSite, ...words: string[]) =>
  site.rota("deploy", ...words, "--set", "RELEASE=2", "--json");

type Said = Awaited<ReturnType<typeof deploy>>;

const tookAt = ({ events }: Said, step: string): number =>
  events.flatMap((event) => (event.type === "step ended" && event.step === step ? [event.ms] : []))[0] ?? 0;

const waitedFor = ({ events }: Said): string =>
  events.flatMap((event) => (event.type === "waiting" ? [event.saw] : [])).join("\n");

test.concurrent(
  "no balancer can be asked: the worst case of a check just missed is waited out, and that is said",
  async () => {
    await using site = await siteWith(undefined);
    const plan = await site.rota("plan");
    expect(plan.code, plan.err).toBe(0);
    expect(plan.out).toContain(
      "leaves by its status page; no balancer can be asked: min_serving is not counted",
    );
    const said = await deploy(site);
    expect(said.code, said.err).toBe(0);
    // inter + (fall - 1) x fastinter + fall x timeout = 400 ms, then linger
    expect(waitedFor(said)).toContain("no balancer can be asked, so 400ms are waited");
    expect(tookAt(said, "settle")).toBeGreaterThanOrEqual(700);
    // inter + (rise - 1) x fastinter + rise x timeout
    expect(waitedFor(said)).toContain("no balancer can be asked, so 550ms are waited");
    expect(tookAt(said, "ready")).toBeGreaterThanOrEqual(550);
    expect(said.events.filter((event) => event.type === "batch started")).toMatchObject([
      { nodes: ["web1"] },
      { nodes: ["web2"] },
    ]);
    expect(site.balancers.flatMap(({ lines }) => lines)).toEqual([]);
  },
);

test.concurrent(
  "no balancer can be asked: a node that failed is known, goes first, and comes back proven",
  async () => {
    await using site = await siteWith(undefined, { pool: { upgrade: '[ "$RELEASE" = 2 ]' } });
    const failed = await site.rota("deploy", "web2", "--set", "RELEASE=1");
    expect(failed.code).toBe(1);
    expect(isMarked(site, "web2")).toBe(true);
    expect((await site.rota("status")).out).toMatch(/web2 +left out by run/);
    const said = await deploy(site);
    expect(said.code, said.err).toBe(0);
    expect(said.events.find((event) => event.type === "batch started")).toMatchObject({ nodes: ["web2"] });
    expect(isMarked(site, "web2")).toBe(false);
  },
);

test.concurrent(
  "no balancer can be asked: by hand, and somebody else's hold is seen at the page",
  async () => {
    await using site = await siteWith(undefined);
    const drained = await site.rota("drain", "web1", "--reason", "disk swap");
    expect(drained.code, drained.err).toBe(0);
    expect(isMarked(site, "web1")).toBe(true);
    const back = await site.rota("ready", "web1");
    expect(back.code, back.err).toBe(0);
    expect(isMarked(site, "web1")).toBe(false);
    await site.host("web2").write("out-of-rotation");
    const said = await deploy(site, "web2");
    expect(said.events).toContainEqual(
      expect.objectContaining({
        type: "notice",
        text: expect.stringContaining("web2 is left alone: its page"),
      }),
    );
    expect(isMarked(site, "web2")).toBe(true);
  },
);

// Not beside others: a signal is for the whole process.
test("stopped at once while time is waited out: the page answers again", async () => {
  await using site = await siteWith(undefined, { pool: { status_page: { ...known, inter: "60s" } } });
  site.whenWaiting("web1", /are waited/, () => {
    process.emit("SIGTERM");
    process.emit("SIGTERM");
  });
  const said = await deploy(site);
  expect(said.code).toBe(4);
  expect(isMarked(site, "web1")).toBe(false);
});

/** A statistics page that gives what the test says. */
async function statsPage(answer: () => { status: number; body: string }) {
  const server = http.createServer((request, response) => {
    const { status, body } = request.url === "/stats;csv" ? answer() : { status: 404, body: "" };
    response.writeHead(status).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${portOf(server)}/stats`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** A real page has more. */
const columns =
  "pxname svname qcur scur stot econ eresp rate wretr wredis cli_abrt srv_abrt hrsp_1xx hrsp_2xx hrsp_3xx hrsp_4xx hrsp_5xx hrsp_other rtime chkfail chkdown status act bck tracked type check_status last_chk check_rise check_fall check_health uweight addr agent_status".split(
    " ",
  );

const row = (fields: Record<string, string | number>): string =>
  columns.map((column) => `${fields[column] ?? ""},`).join("");

const counts = { qcur: 0, scur: 0, stot: 7, econ: 0, eresp: 0, rate: 0, wretr: 0, wredis: 0, hrsp_5xx: 0 };
const check = {
  check_status: "L7OK",
  last_chk: '"said ""yes"", ok"',
  check_rise: 2,
  check_fall: 2,
  check_health: 3,
};
const server = (svname: string, status: string): string =>
  row({ pxname: "app", svname, ...counts, ...check, status, act: 1, bck: 0, type: 2, uweight: 1 });

const up = (...statuses: string[]): number => statuses.filter((status) => status.startsWith("UP")).length;

const csv = (web1: string, web2 = "UP"): string =>
  [
    `# ${columns.map((column) => `${column},`).join("")}`,
    row({ pxname: "http", svname: "FRONTEND", scur: 0, stot: 5, status: "OPEN", type: 0 }),
    server("web1", web1),
    server("web2", web2),
    row({
      pxname: "app",
      svname: "BACKEND",
      ...counts,
      status: "UP",
      type: 1,
      uweight: 2,
      bck: 0,
      act: up(web1, web2),
    }),
    "",
  ].join("\n");

test.concurrent(
  "a statistics page that shows the node up now and then is not believed that it is out",
  async () => {
    let asked = 0;
    let site: FakeSite | undefined;
    await using page = await statsPage(() => {
      asked += 1;
      const down = site !== undefined && isMarked(site, "web1");
      return { status: 200, body: down && asked % 3 === 0 ? csv("UP 1/2") : csv(down ? "NOLB" : "UP") };
    });
    await using paged = await siteWith({ lb1: page.url });
    site = paged;
    const said = await deploy(paged, "web1");
    expect(said.code).toBe(1);
    expect(said.err).toContain("web1 is as it was found");
    expect(isMarked(paged, "web1")).toBe(false);
  },
);

test.concurrent(
  "by a statistics page alone a node leaves and returns, and min_serving is counted",
  async () => {
    let site: FakeSite | undefined;
    let web2 = "UP";
    await using page = await statsPage(() => {
      const out = site !== undefined && isMarked(site, "web1");
      return { status: 200, body: csv(out ? "DOWN" : "UP", web2) };
    });
    await using paged = await siteWith({ lb1: page.url }, { pool: { limits: { capacity: "300ms" } } });
    site = paged;
    const said = await deploy(paged, "web1");
    expect(said.code, said.err).toBe(0);
    expect((await paged.rota("status")).out).toContain("lb1/app 2 of 2 serving");
    web2 = "MAINT";
    const short = await deploy(paged, "web1");
    expect(short.code).toBe(3);
    expect(short.err).toContain("1 of 2 serve, 1 must stay (out: web2 MAINT, by somebody else)");
  },
);

test.concurrent.for([
  [{ status: 401, body: "" }, /lb1: http:\S+ answered 401; rota has no password for it/],
  [{ status: 200, body: "<html>" }, /lb1: http:\S+ does not answer as a statistics page does/],
  [{ status: 200, body: csv("UP").slice(0, 300) }, /lb1: http:\S+ does not answer as a statistics page does/],
] as const)(
  "what is no statistics page is refused before anything is touched: %j",
  async ([answer, said]) => {
    await using page = await statsPage(() => answer);
    await using site = await siteWith({ lb1: page.url });
    const { code, err } = await deploy(site, "web1");
    expect(code).toBe(3);
    expect(err).toMatch(said);
    expect(isMarked(site, "web1")).toBe(false);
  },
);

import { expect, test } from "vitest";
import { faultsIn, fleetOf, rest, withPool } from "./files.ts";

const byPage = "    drain: { via: status-page }\n    status_page: { out: touch x, in: rm x }\n";

const top = (balancers: string): string =>
  `fleet: shop\n${balancers}pools:\n  web:\n    nodes: { web1: 10.0.1.1 }\n`;

test("a status page is resolved: commands, calls, and what is known of HAProxy's check", () => {
  const page = "{ out: { post: 'http://{host}/out' }, in: rm x, inter: 5s, fall: 2, rise: 3, timeout: 1s }";
  const fleet = fleetOf(withPool(`    drain: { via: status-page }\n    status_page: ${page}\n`));
  expect(fleet.pools[0]?.statusPage).toEqual({
    out: { post: "http://{host}/out" },
    in: { run: "rm x" },
    inter: 5_000,
    fastinter: undefined,
    fall: 2,
    rise: 3,
    timeout: 1_000,
    linger: 5_000,
  });
  expect(fleet.pools[0]?.check.whileOut).toBe(404);
});

test("balancers may be statistics pages, or absent, where every pool leaves by its status page", () => {
  const pages = fleetOf(`${top("balancers: { lb1: 'http://lb1:8404/stats' }\n")}${byPage}${rest}`);
  expect(pages.balancers).toEqual([{ name: "lb1", socket: { kind: "http", url: "http://lb1:8404/stats" } }]);
  const known = byPage.replace("in: rm x", "in: rm x, inter: 5s, fall: 2, rise: 2");
  expect(fleetOf(`${top("")}${known}${rest}`).balancers).toEqual([]);
});

test.each([
  [
    "no status_page",
    withPool("    drain: { via: status-page }\n"),
    '6:19 pools.web.drain.via: needs status_page: { out: "touch out-of-rotation", in: "rm -f out-of-rotation" } in the pool',
  ],
  [
    "a status_page that nothing uses",
    withPool("    status_page: { out: touch x, in: rm x }\n"),
    "6:5 pools.web.status_page: is only for drain: { via: status-page }",
  ],
  [
    "cutting sessions where balancers are only read",
    withPool(byPage.replace("via: status-page", "via: status-page, at_limit: cut")),
    "6:42 pools.web.drain.at_limit: cut is for drain: { via: runtime }: with via: status-page balancers are only read; write stop or go-on",
  ],
  [
    "a soak where no balancer counts anything",
    `${top("")}${byPage.replace("in: rm x", "in: rm x, inter: 5s, fall: 2, rise: 2")}    rollout: { soak: 30s }\n${rest}`,
    "7:22 pools.web.rollout.soak: is not possible: no balancer can be asked what it counts for the nodes",
  ],
  ["no balancers for a pool that needs them", `${top("")}${rest}`, "1:1 balancers: is missing"],
  [
    "a statistics page that a pool would have to change",
    `${top("balancers: { lb1: unix:/a, lb2: 'http://lb2:8404/stats' }\n")}${rest}`,
    "4:3 pools.web: lb2 is a statistics page, and read only; name the other balancers here, or write drain: { via: status-page } with a status_page",
  ],
  [
    "a password in the address of a statistics page",
    `${top("balancers: { lb1: 'http://me:pw@lb1/stats' }\n")}${byPage}${rest}`,
    '2:19 balancers.lb1: "http://me:pw@lb1/stats" is not a statistics page; write http://lb1.example.net:8404/stats, without a password or ;csv',
  ],
  [
    "a page that answers the same when it is out",
    withPool(byPage).replace("/_status' }", "/_status', while_out: 503, status: 503 }"),
    "9:73 pools.web.check.status: is what the page answers while it is out, too",
  ],
  [
    "a call with an unknown placeholder",
    withPool(byPage.replace("in: rm x", "in: { post: 'http://{hots}/in' }")),
    "7:46 pools.web.status_page.in.post: {hots} is not known here; did you mean {host}?",
  ],
])("%s is told", (_, text, fault) => {
  expect(faultsIn(text)).toEqual([fault]);
});

const uwsgi = (more: string, pool = ""): string =>
  withPool(pool).replace(
    "{ via: command, run: ./restart }",
    `{ via: uwsgi, stats: /run/a.sock${more === "" ? "" : `, ${more}`} }`,
  );

test.each([
  ["", []],
  ["fifo: /run/a.fifo, spare: true", []],
  ["how: chain, touch: /srv/touch", []],
  ["how: reload, fifo: /run/a.fifo", []],
  [
    "how: chain",
    ["6:53 pools.web.restart.how: needs fifo, uWSGI's master-fifo, or touch, its touch-chain-reload"],
  ],
  ["how: reload", ["6:53 pools.web.restart.how: needs fifo, uWSGI's master-fifo"]],
  ["touch: /srv/touch", ["6:48 pools.web.restart.touch: is for how: chain"]],
  [
    "spare: true",
    ["6:48 pools.web.restart.spare: needs fifo, uWSGI's master-fifo: by it the spare worker is started"],
  ],
  ["fifo: /run/a, how: chain, spare: true", ["6:74 pools.web.restart.spare: is for how: workers"]],
])("a restart of uWSGI by %s has what it needs, or it is told", (more, faults) => {
  if (faults.length > 0) expect(faultsIn(uwsgi(more))).toEqual(faults);
  else expect(fleetOf(uwsgi(more)).pools[0]?.restart).toMatchObject({ via: "uwsgi", bootWithin: 120_000 });
});

test("a node stays in rotation while uWSGI's workers are replaced, but not while it is loaded anew", () => {
  const stays = "    drain: { via: none }\n";
  expect(fleetOf(uwsgi("", stays)).pools[0]?.stays).toBe(true);
  expect(fleetOf(uwsgi("how: chain, fifo: /f", stays)).pools[0]?.stays).toBe(true);
  expect(faultsIn(uwsgi("how: reload, fifo: /f", stays))[0]).toContain("is for a restart that keeps serving");
});

test("without balancers, what is needed to wait long enough must be there", () => {
  expect(faultsIn(`${top("")}${byPage}${rest}`).map((fault) => fault.split(": ")[0])).toEqual([
    "6:5 pools.web.status_page.inter",
    "6:5 pools.web.status_page.fall",
    "6:5 pools.web.status_page.rise",
  ]);
});

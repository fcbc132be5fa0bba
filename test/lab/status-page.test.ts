/** Leaving by the status page, on real HAProxies that rota may not change, under load. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { reportCase } from "./cases.ts";
import type { Overrides } from "./inventory.ts";
import { startLab, type Lab } from "./lab.ts";
import { startLoad } from "./load.ts";
import type { LabNode } from "./node.ts";
import { runRota, type Ended } from "./rota.ts";

const isFull = process.env["CHAOS"] === "full";

/** The lab's app answers with what this file holds; renamed into place, or a check might find it empty. */
const page = {
  out: 'cd "$NODE_HOME" && echo 404 > code.new && mv code.new status-code',
  in: 'cd "$NODE_HOME" && rm -f status-code',
};

const byPage = (more: Overrides = {}): Overrides => ({
  drain: { via: "status-page" },
  status_page: { ...page, ...more },
});

const deploy = (lab: Lab, inventory: string, release: string): Promise<Ended> =>
  runRota(lab, ["deploy", "-i", inventory, "--set", `RELEASE=${release}`, "--json"]);

const loadOn = (lab: Lab, maxSeconds = 200) =>
  startLoad({ urls: lab.balancers.map(({ url }) => url), maxSeconds });

/** From its next start on. */
const bootsFor = async ({ folder }: LabNode, seconds: number): Promise<void> => {
  const file = join(folder, "node.env");
  const settings = await readFile(file, "utf8");
  // gunicorn kills a worker that boots longer than its limit.
  const limit = `BOOT_LIMIT=${seconds * 2}`;
  await writeFile(file, settings.replace(/^BOOT_SECONDS=.*$/m, `BOOT_SECONDS=${seconds}\n${limit}`));
};

/** What was said while waiting at a step. */
const waitedFor = ({ events }: Ended, step: string): string =>
  events.flatMap((event) => (event.type === "waiting" && event.step === step ? [event.saw] : [])).join("\n");

const releasesOf = (lab: Lab): Promise<(string | undefined)[]> =>
  Promise.all(lab.nodes.map((node) => node.release()));

test("with disable-on-404, an operator socket here and a statistics page there: no request is lost", async ({
  task,
}) => {
  await using lab = await startLab({ nodes: 2, backendLines: ["http-check disable-on-404"] });
  const [lb1, lb2] = lab.balancers;
  const balancers = { lb1: `unix:${lb1?.operatorSocket}`, lb2: lb2?.statsUrl };
  const inventory = await lab.inventory(byPage(), { balancers });
  await using load = await loadOn(lab);
  const ended = await deploy(lab, inventory, "2");
  expect(ended.code, ended.stderr).toBe(0);
  expect(await releasesOf(lab)).toEqual(["2", "2"]);
  // On a slow machine the first look may come after a balancer's checks have failed.
  expect(waitedFor(ended, "drain")).toMatch(/lb[12]\/app: web[12] UP/);
  await lab.untilAllInRotation();
  const report = await load.stop();
  reportCase(
    task,
    "by the status page, with disable-on-404: an operator socket, and a statistics page",
    report,
  );
  expect(report).toMatchObject({ lost: 0, examples: [] });
});

test("without disable-on-404: by user sockets, by statistics pages, and by time alone, no request is lost", async ({
  task,
}) => {
  await using lab = await startLab({ nodes: 2 });
  const [lb1, lb2] = lab.balancers;
  await using load = await loadOn(lab);

  if (isFull) {
    const sockets = { lb1: `unix:${lb1?.userSocket}`, lb2: `unix:${lb2?.userSocket}` };
    const bySocket = await deploy(lab, await lab.inventory(byPage(), { balancers: sockets }), "2");
    expect(bySocket.code, bySocket.stderr).toBe(0);
    expect(waitedFor(bySocket, "drain")).toMatch(/lb1\/app: web1 UP 1\/2/);
    expect(waitedFor(bySocket, "ready")).toMatch(/lb1\/app: web1 DOWN/);
  }

  const pages = { lb1: lb1?.statsUrl, lb2: lb2?.statsUrl };
  const byCsv = await deploy(lab, await lab.inventory(byPage(), { balancers: pages }), "3");
  expect(byCsv.code, byCsv.stderr).toBe(0);
  expect(waitedFor(byCsv, "drain")).toMatch(/lb2\/app: web2 UP 1\/2/);

  const known = { inter: "500ms", fall: 2, rise: 2, timeout: "1s", linger: "1s" };
  const blind = await deploy(lab, await lab.inventory(byPage(known), { balancers: undefined }), "4");
  expect(blind.code, blind.stderr).toBe(0);
  expect(waitedFor(blind, "settle")).toContain("no balancer can be asked, so 3s are waited");
  expect(await releasesOf(lab)).toEqual(["4", "4"]);
  await lab.untilAllInRotation();
  const report = await load.stop();
  reportCase(task, "by the status page, without disable-on-404: statistics pages, and time alone", report);
  expect(report).toMatchObject({ lost: 0, examples: [] });
});

test.runIf(isFull)(
  "the classic case: checks 5 s apart, two failures, an app that takes a minute to boot",
  { timeout: 600_000 },
  async () => {
    await using lab = await startLab({ nodes: 2, bootSeconds: 0.1, checkInterMs: 5_000 });
    await Promise.all(lab.nodes.map((node) => bootsFor(node, 60)));
    const balancers = { lb1: `unix:${lab.balancers[0]?.operatorSocket}`, lb2: lab.balancers[1]?.statsUrl };
    const inventory = await lab.inventory(byPage(), { balancers });
    await using load = await loadOn(lab, 500);
    const ended = await deploy(lab, inventory, "2");
    const steps = ended.events.flatMap((event) =>
      event.type === "step ended" ? [`${event.node} ${event.step} ${(event.ms / 1_000).toFixed(1)} s`] : [],
    );
    process.stdout.write(`the classic case: ${steps.join(", ")}\n`);
    expect(ended.code, ended.stderr).toBe(0);
    expect(await load.stop()).toMatchObject({ lost: 0, examples: [] });
  },
);

import { expect, test } from "vitest";
import { reportCase } from "./cases.ts";
import { startLab, type Lab } from "./lab.ts";
import { startLoad, type Load } from "./load.ts";
import { runRota, type Ended } from "./rota.ts";

const loadOn = (lab: Lab): Promise<Load> =>
  startLoad({ urls: lab.balancers.map(({ url }) => url), perSecond: 200, maxSeconds: 600 });

const deploy = (lab: Lab, inventory: string, release: string, ...words: string[]): Promise<Ended> =>
  runRota(lab, ["deploy", "-i", inventory, "--set", `RELEASE=${release}`, "--yes", ...words]);

const [deploys, howMany] = process.env["CHAOS"] === "full" ? [10, "ten"] : [2, "two"];

test(
  `${howMany} deploys in a row over four nodes lose no request`,
  { timeout: 420_000 },
  async ({ task }) => {
    await using lab = await startLab({ bootSeconds: 0.1 });
    const inventory = await lab.inventory();
    await using load = await loadOn(lab);
    for (let release = 2; release <= deploys + 1; release += 1) {
      const { code, stderr } = await deploy(lab, inventory, `${release}`);
      expect(code, stderr).toBe(0);
      expect(await releasesOf(lab)).toEqual(Array(4).fill(`${release}`));
    }
    await lab.untilAllInRotation();
    const report = await load.stop();
    const { sent, lost, perSecond, p50, p99, max } = report;
    process.stdout.write(`${howMany} deploys: ${JSON.stringify({ sent, lost, perSecond, p50, p99, max })}\n`);
    reportCase(task, `${howMany} deploys in a row over four nodes`, report);
    expect(report).toMatchObject({ lost: 0, lostBy: {}, examples: [] });
    expect(report.sent).toBeGreaterThanOrEqual(500 * deploys); // a few seconds of traffic each, on a fast machine too
    expect(report.perSecond).toBeGreaterThan(150);
  },
);

const releasesOf = (lab: Lab): Promise<(string | undefined)[]> =>
  Promise.all(lab.nodes.map((node) => node.release()));

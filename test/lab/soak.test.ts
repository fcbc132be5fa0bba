import { expect, test } from "vitest";
import { reportCase } from "./cases.ts";
import { startLab, type Lab } from "./lab.ts";
import { startLoad, type Load } from "./load.ts";
import { runRota, type Ended } from "./rota.ts";

const loadOn = (lab: Lab): Promise<Load> => startLoad({ urls: lab.balancers.map(({ url }) => url) });

const deploy = (lab: Lab, inventory: string, release: string): Promise<Ended> =>
  runRota(lab, ["deploy", "-i", inventory, "--set", `RELEASE=${release}`, "--json"]);

const saidBySoak = ({ events }: Ended): string[] =>
  events.flatMap((event) => (event.type === "output" && event.step === "soak" ? [event.text] : []));

const labOf2 = (): Promise<Lab> => startLab({ bootSeconds: 0.1, nodes: 2, workers: 4, checkInterMs: 200 });

test("a release that is well by its status and fails some requests stops at the first node; a good one goes through, an idle pool does not tell", async ({
  task,
}) => {
  await using lab = await labOf2();
  const inventory = await lab.inventory({ rollout: { batch: 1, soak: "3s" } });
  const shortly = await lab.inventory({ rollout: { soak: "500ms" } });
  const idle = await deploy(lab, shortly, "2");
  expect(idle.code).toBe(1);
  expect(idle.stderr).toContain("its soak was not conclusive: 0 requests, 0 failed");
  expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["2", "1"]);

  await using load = await loadOn(lab);
  const good = await deploy(lab, inventory, "2");
  expect(good.code, good.stderr).toBe(0);
  const said = saidBySoak(good);
  expect(said[0]).toMatch(/^[\d,]+ requests, 0 failed; its neighbour web2: 0 of [\d,]+$/);
  expect(said[1]).toMatch(/^[\d,]+ requests, 0 failed; itself before it left: 0 of [\d,]+$/);
  const { sent, lost: lostByGood } = await load.stop();
  reportCase(task, "a soak tells a release that fails one request in ten from a good one", {
    sent,
    lost: lostByGood,
  });
  expect(lostByGood).toBe(0);

  await using more = await loadOn(lab);
  const faulty = await deploy(lab, inventory, "faulty");
  expect(faulty.code, faulty.stderr).toBe(1);
  expect(faulty.stderr).toMatch(
    /web1: worse since it is back: [\d,]+ of [\d,]+ requests failed \([\d.]+ %, \d+ of them answered 5xx\); (its neighbour web2|itself before it left): 0 of [\d,]+ \(0 %\)/,
  );
  expect(faulty.stderr).toContain("web1 is back in rotation; web2 was not touched");
  expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["faulty", "2"]);
  // HAProxy's counters and the clients agree, but for what came after the soak.
  const [, failed = 0] = /(\d+) of [\d,]+ requests failed/.exec(faulty.stderr) ?? [];
  const { lost, lostBy } = await more.stop();
  expect(Number(failed)).toBeGreaterThanOrEqual(5);
  expect(lost).toBeGreaterThanOrEqual(Number(failed));
  expect(lostBy).toEqual({ "status 500": lost });
});

test.runIf(process.env["CHAOS"] === "full")(
  "requests whose worker dies are seen though no status tells of them",
  async () => {
    await using lab = await labOf2();
    const inventory = await lab.inventory({ rollout: { batch: 1, soak: "3s" } });
    await using _ = await loadOn(lab);
    const killing = await deploy(lab, inventory, "killing");
    expect(killing.code, killing.stderr).toBe(1);
    expect(killing.stderr).toMatch(
      /web1: worse since it is back: (\d+ of \d+ requests (failed|were tried)|it went down)/,
    );
    expect(await lab.node("web2").release()).toBe("1");
  },
);

import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { Event } from "../../src/events/events.ts";
import { notYet, yes } from "../../src/base/poll.ts";
import { reportCase } from "./cases.ts";
import type { Lab } from "./lab.ts";
import { startLab } from "./lab.ts";
import { startRota, type Ended, type Rota } from "./rota.ts";
import { waitFor } from "./wait.ts";

const isFull = process.env["CHAOS"] === "full";

const oneNode = { balancers: 1, nodes: 1, bootSeconds: 0 };
const alone = { rollout: { min_serving: 0 }, drain: { within: "40s" } };

test.for(isFull ? ([undefined, "ssh"] as const) : ([undefined] as const))(
  "a request that a reload leaves with the old worker is waited for (through %s)",
  async (through, { task }) => {
    reportCase(
      task,
      `a request that a reload left with the old worker is waited for${through ? ", through SSH" : ""}`,
    );
    await using lab = await startLab({ ...oneNode, ...(through ? { through } : {}) });
    // So that the request begins when rota does: how long that takes to start is not what is tested.
    const inventory = await lab.inventory({ ...alone, prepare: "sleep 1" });
    const rota = deploy(lab, inventory);
    await untilSaid(rota, '"step":"prepare"');
    const request = longRequest(lab, 7_000);
    await untilSessions(lab, "1");
    await untilSaid(rota, "1 session left (lb1: 1)");
    await renumber(lab);
    await lab.balancer("lb1").reload();
    await untilSaid(rota, "old worker");
    const { code, events, stderr } = await rota.ended;
    expect(code, stderr).toBe(0);
    const { answer, at } = await request;
    expect(answer).toBe("release 1 on web1\n");
    expect(waits(events)).toContainEqual(
      expect.stringMatching(/^lb1\/app\/web1 \(old worker \d+\): 1 session$/),
    );
    expect(startOf(events, "upgrade")).toBeGreaterThan(at);
  },
);

test.runIf(isFull)(
  "a reload just before is noticed too, and without the master's socket it is said that nobody can see",
  async () => {
    await using lab = await startLab(oneNode);
    const [seeing, blind] = [
      await lab.inventory(alone),
      await lab.inventory(alone, { balancers: { lb1: `unix:${lab.balancer("lb1").adminSocket}` } }),
    ];
    const first = longRequest(lab, 7_000);
    await untilSessions(lab, "1");
    await lab.balancer("lb1").reload();
    const waited = await deploy(lab, seeing).ended;
    expect(waited.code, waited.stderr).toBe(0);
    expect(waits(waited.events).join()).toMatch(/\(old worker \d+\): 1 session/);
    expect(startOf(waited.events, "upgrade")).toBeGreaterThan((await first).at);
    expect(notices(waited)).toEqual([]);

    await lab.untilAllInRotation();
    await lab.balancer("lb1").reload();
    await lab.untilAllInRotation();
    const unseen = await deploy(lab, blind).ended;
    expect(unseen.code, unseen.stderr).toBe(0);
    expect(notices(unseen)).toEqual([
      expect.stringMatching(/^lb1 was reloaded or started \S+ ago: what an old worker .* master: "unix:/),
    ]);
  },
);

test("a master's socket that is none, or another HAProxy's, is refused before anything is touched", async () => {
  await using lab = await startLab({ ...oneNode, balancers: 2 });
  const [lb1, lb2] = [lab.balancer("lb1"), lab.balancer("lb2")];
  const refusal = async (master: string): Promise<string> => {
    const inventory = await lab.inventory(alone, {
      balancers: { lb1: { master: `unix:${master}` }, lb2: undefined },
    });
    const { code, stderr } = await deploy(lab, inventory).ended;
    expect(code).toBe(3);
    return stderr;
  };
  expect(await refusal("/none.sock")).toContain("lb1: its master: there is no socket at /none.sock\n");
  expect(await refusal(lb2.masterSocket)).toContain("lb1: its master does not know the worker");
  expect(await refusal(lb1.userSocket)).toContain(`lb1: ${lb1.userSocket} does not answer as a master`);
});

/** From the next reload on, HAProxy has another number for each backend and server. */
async function renumber(lab: Lab): Promise<void> {
  const { configFile } = lab.balancer("lb1");
  const config = await readFile(configFile, "utf8");
  const more = "backend before\n  server other 127.0.0.1:1 disabled\n\n";
  const renumbered = config
    .replace(/^backend app$/m, `${more}$&`)
    .replace(/^ +server web1 /m, "  server web0 127.0.0.1:1 disabled\n$&");
  await writeFile(configFile, renumbered);
}

const deploy = (lab: Lab, inventory: string): Rota =>
  startRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=2", "--yes", "--json"]);

/** When it was answered is on the same clock as the events'. */
async function longRequest(lab: Lab, ms: number): Promise<{ answer: string; at: number }> {
  const response = await fetch(`${lab.balancer("lb1").url}/slow?ms=${ms}`);
  return { answer: await response.text(), at: Date.now() };
}

const untilSessions = (lab: Lab, count: string): Promise<undefined> =>
  waitFor("the request", 5_000, async () => {
    const row = (await lab.balancer("lb1").ask("show stat app 4 -1")).split("\n")[1] ?? "";
    return row.split(",")[4] === count ? yes(undefined) : notYet(row);
  });

const untilSaid = (rota: Rota, text: string): Promise<undefined> =>
  waitFor(text, 20_000, async () => (rota.stdout().includes(text) ? yes(undefined) : notYet(rota.stdout())));

const waits = (events: Event[]): string[] =>
  events.flatMap((event) => (event.type === "waiting" && event.step === "settle" ? [event.saw] : []));

const startOf = (events: Event[], step: string): number =>
  Date.parse(events.find((event) => event.type === "step started" && event.step === step)?.at ?? "");

const notices = ({ events }: Ended): string[] =>
  events.flatMap((event) => (event.type === "notice" ? [event.text] : []));

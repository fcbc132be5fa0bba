/** What happens to a balancer at a step of a rotation, and what rota makes of it. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { StepName } from "../../src/events/events.ts";
import { startLab, type Lab } from "./lab.ts";
import type { Ended } from "./rota.ts";
import { runRota, startRota } from "./rota.ts";

export const faults = ["reload, with a state file", "reload", "freeze", "crash"] as const;
export type Fault = (typeof faults)[number];

/** Of a rotation by the runtime socket. */
export const steps = ["survey", "drain", "settle", "upgrade", "restart", "check", "ready"] as const;

export interface Faulty extends AsyncDisposable {
  lab: Lab;
  /** The balancers that go on living: there no request may be lost. */
  urls: string[];
  /**
   * Deploys the next release; when web2 begins the step, the second balancer has its fault.
   * Ends when everything is as an unbroken run leaves it.
   */
  deployWith(
    step: StepName,
  ): Promise<{ deploy: Ended; resumed: Ended | undefined; from: number; to: number }>;
}

export async function startFaulty(fault: Fault): Promise<Faulty> {
  const remembers = fault === "reload, with a state file";
  const stateFile = (lab: Lab): string => join(lab.folder, "lb2.state");
  const lab = await startLab({ nodes: 3, bootSeconds: 0.3, workers: 2, checkInterMs: 200 });
  const lb2 = lab.balancer("lb2");
  if (remembers) await remember(lab, stateFile(lab));
  const inventory = await lab.inventory({ drain: { within: "20s" } });
  let release = 1;

  const strike: Record<Fault, () => Promise<void>> = {
    "reload, with a state file": async () => {
      await writeFile(stateFile(lab), (await lb2.ask("show servers state app")).trimEnd() + "\n");
      await lb2.reload();
    },
    reload: () => lb2.reload(),
    freeze: async () => lb2.freeze(),
    crash: () => lb2.kill(),
  };
  const mend: Partial<Record<Fault, () => Promise<void>>> = {
    freeze: async () => lb2.thaw(),
    crash: () => lb2.start(),
  };
  const survives = mend[fault] === undefined;

  return {
    lab,
    urls: lab.balancers.filter(({ name }) => survives || name !== "lb2").map(({ url }) => url),
    async deployWith(step) {
      release += 1;
      const words = ["-i", inventory, "--set", `RELEASE=${release}`, "--yes", "--json"];
      const rota = startRota(lab, ["deploy", "web2", ...words]);
      let struck: Promise<void> | undefined;
      let [from, to] = [0, 0];
      const begun = `"type":"step started","node":"web2","step":"${step}"`;
      rota.child.stdout?.on("data", () => {
        if (struck || !rota.stdout().includes(begun)) return;
        from = Date.now();
        struck = strike[fault]().finally(() => (to = Date.now()));
      });
      const deploy = await rota.ended;
      await struck;
      expect(struck, `the step ${step} never came:\n${deploy.stderr}`).toBeDefined();
      if (survives) {
        expect(deploy.code, deploy.stderr).toBe(0);
        if (remembers) await mendOldState(lab, inventory);
        await expectAsFound(lab, `${release}`);
        return { deploy, resumed: undefined, from, to };
      }
      await expectSafelyStopped(lab, deploy);
      await mend[fault]?.();
      const again = deploy.code === 3 ? ["deploy", "web2", ...words] : resumeWords(inventory, deploy);
      const resumed = await runRota(lab, again);
      expect(resumed.code, resumed.stderr).toBe(0);
      await expectAsFound(lab, `${release}`);
      return { deploy, resumed, from, to };
    },
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
}

/** As Debian's HAProxy can be set up: what is dumped before a reload is read by the next worker. */
async function remember(lab: Lab, file: string): Promise<void> {
  const { configFile } = lab.balancer("lb2");
  const config = await readFile(configFile, "utf8");
  const lines = `\nbackend app\n  load-server-state-from-file local\n  server-state-file-name ${file}\n`;
  await writeFile(file, (await lab.balancer("lb2").ask("show servers state app")).trimEnd() + "\n");
  await writeFile(configFile, config.replace("\nbackend app\n", lines));
  await lab.balancer("lb2").reload();
}

/**
 * A file that was dumped while web2 was out, and is read when rota has ended, has it out again: nobody can prevent
 * that, but `status` shows it, and `ready` brings it back.
 */
async function mendOldState(lab: Lab, inventory: string): Promise<void> {
  const status = await runRota(lab, ["status", "-i", inventory]);
  if (!/^web2 .*(MAINT|DRAIN)/m.test(status.stdout)) return;
  const ready = await runRota(lab, ["ready", "web2", "-i", inventory, "--yes"]);
  expect(ready.code, ready.stderr).toBe(0);
}

/** It says which balancer it was; and where that one lives, web2 is either in and untouched, or out. */
async function expectSafelyStopped(lab: Lab, { code, stderr, events }: Ended): Promise<void> {
  expect([1, 3], stderr).toContain(code);
  expect(stderr).toContain("lb2");
  const changed = events.some(
    (event) => event.type === "step started" && event.node === "web2" && event.step === "upgrade",
  );
  const [, , , row = ""] = (await lab.balancer("lb1").ask("show servers state app")).split("\n");
  expect(row).toContain("web2");
  const out = (Number(row.split(" ")[6]) & 9) !== 0;
  if (changed) expect(out, "web2 is in, unproven").toBe(true);
}

/** As the message says: a node that failed is tried again, one that was only drained needs no word. */
const resumeWords = (inventory: string, { stderr }: Ended): string[] => [
  "resume",
  "-i",
  inventory,
  "--yes",
  "--json",
  ...(stderr.includes("--retry") ? ["--retry"] : []),
];

async function expectAsFound(lab: Lab, release: string): Promise<void> {
  await lab.untilAllInRotation();
  expect(await lab.node("web2").release()).toBe(release);
  for (const balancer of lab.balancers) {
    const rows = (await balancer.ask("show servers state app")).trimEnd().split("\n").slice(2);
    const states = rows
      .map((row) => row.split(" "))
      .map(({ 3: name, 6: admin, 7: weight }) => [name, admin, weight]);
    expect(states, balancer.name).toEqual(lab.nodes.map(({ name }) => [name, "0", "1"]));
  }
}

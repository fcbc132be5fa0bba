/** Where rota is killed, and from where its run goes on: every step of every node, on both databases. */
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { stepNames } from "../../src/events/events.ts";
import { type Moment, runProgram, runUntilKilled } from "../fakes/program.ts";
import { startLab, type Lab } from "./lab.ts";
import { startLoad, type Load } from "./load.ts";
import { type LabPostgres, startPostgres } from "./postgres.ts";
import { envOf, journalOf } from "./rota.ts";

export interface Kill {
  moment: Moment;
  database: "sqlite" | "postgres";
  /** Where the resume is typed. */
  from: "the same" | "another";
}

const isFull = process.env["CHAOS"] === "full";
const nodes = isFull ? ["web1", "web2", "web3"] : ["web1", "web2"];

/** As each step begins and right after it ended; and in the middle of those that take long enough. */
const moments: Moment[] = nodes.flatMap((node) => [
  // What is done once is killed in test/rotation/hooks.test.ts.
  ...stepNames
    .filter((step) => step !== "once")
    .flatMap((step): Moment[] => [
      { type: "step started", node, step },
      { type: "step ended", node, step },
    ]),
  ...["settle", "restart", "check"].map((step): Moment => ({ type: "step started", node, step, later: 100 })),
]);

/**
 * Each moment on both databases and from both directories. A node has an odd number of moments, so that the next
 * node's have the other two combinations.
 */
const matrix: Kill[] = moments.flatMap((moment, at): Kill[] => {
  const [first, second] =
    at % 2 === 0 ? (["the same", "another"] as const) : (["another", "the same"] as const);
  return [
    { moment, database: "sqlite", from: first },
    { moment, database: "postgres", from: second },
  ];
});

const begun = "step started";

/** Few, for every day. */
const bounded: Kill[] = [
  { moment: { type: begun, node: "web1", step: "upgrade" }, database: "sqlite", from: "the same" },
  {
    moment: { type: begun, node: "web1", step: "restart", later: 100 },
    database: "postgres",
    from: "another",
  },
];

export const kills = isFull ? matrix : bounded;

export const titleOf = ({ moment: { type, node, step, later }, database, from }: Kill): string =>
  `killed ${type === "step ended" ? "after" : "at"} ${step} of ${node}${later === undefined ? "" : `, ${later} ms after it began`}, resumed from ${from} directory, ${database}`;

/** One lab for all kills, with traffic from the first to the last. */
export interface Chaos extends AsyncDisposable {
  /** Deploys, is killed, resumes, and looks whether everything is as an unbroken run leaves it. */
  survive(kill: Kill): Promise<void>;
  load: Load;
  /** How many times rota was killed so far. */
  killed(): number;
}

const upgrade = 'cd "$NODE_HOME" && ./switch-release "$RELEASE" && echo "$RELEASE" >> upgrades';

export async function startChaos(): Promise<Chaos> {
  const parts: AsyncDisposable[] = [];
  const stop = async (): Promise<void> => {
    for (const part of parts) await part[Symbol.asyncDispose]();
  };
  try {
    // With fewer workers, or checks closer together, a busy machine has the only node that is left fail its checks.
    const lab = await startLab({ bootSeconds: 0.3, checkInterMs: 500, nodes: nodes.length });
    parts.unshift(lab);
    const postgres = await startPostgres();
    parts.unshift(postgres);
    const load = await startLoad({
      urls: lab.balancers.map(({ url }) => url),
      perSecond: 100,
      maxSeconds: 7_200,
    });
    parts.unshift(load);
    return { ...(await chaosOn(lab, postgres, load)), [Symbol.asyncDispose]: stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

async function chaosOn(
  lab: Lab,
  postgres: LabPostgres,
  load: Load,
): Promise<Omit<Chaos, keyof AsyncDisposable>> {
  const inventory = await lab.inventory({
    prepare: "true",
    upgrade,
    rollout: { soak: "500ms", inconclusive: "go-on" },
  });
  const journals = { sqlite: journalOf(lab), postgres: await postgres.freshDatabase() };
  let release = 1;
  let killed = 0;
  return {
    load,
    killed: () => killed,
    async survive({ moment, database, from }) {
      release += 1;
      const env = { ...envOf(lab), ROTA_JOURNAL: journals[database] };
      const run = await runUntilKilled(moment, ["deploy", "-i", inventory, "--set", `RELEASE=${release}`], {
        env,
        cwd: lab.folder,
      });
      killed += 1;
      const cwd = from === "the same" ? lab.folder : tmpdir();
      const resume = (...words: string[]) => runProgram(["resume", "-i", inventory, ...words], { env, cwd });
      const unknown = moment.type === begun && moment.step === "upgrade" ? moment.node : undefined;
      if (unknown !== undefined) {
        const refused = await resume();
        expect(refused.code, refused.stderr).toBe(2);
        expect(refused.stderr).toContain(`nobody knows whether the upgrade of ${unknown} was done`);
      }
      const { code, stderr } = unknown === undefined ? await resume() : await resume(run, "--retry");
      expect(code, stderr).toBe(0);
      await expectUnbroken(lab, `${release}`, unknown);
      const status = await runProgram(["status", "-i", inventory], { env, cwd });
      expect(status.stdout).not.toMatch(/not finished|left out|being changed|MAINT|DRAIN/);
      expect(load.soFar().lost).toBe(0);
    },
  };
}

async function expectUnbroken(lab: Lab, release: string, unknown: string | undefined): Promise<void> {
  await lab.untilAllInRotation();
  for (const node of lab.nodes) {
    expect(await node.release(), node.name).toBe(release);
    const upgrades = (await readFile(join(node.folder, "upgrades"), "utf8")).trimEnd().split("\n");
    const times = upgrades.filter((one) => one === release).length;
    // Whoever said --retry allowed a second time.
    expect(node.name === unknown ? Math.min(times, 1) : times, node.name).toBe(1);
  }
}

/**
 * What must hold whatever happens, for random fleets, faults and moments at which the process goes. The seed is fixed,
 * so that a run is like the one before; another one with SEED=n, more and at random with CHAOS=full. A scenario that
 * failed is printed, and is run alone with SCENARIO='…'.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { buildProgram, type Moment, runUntilKilled } from "../fakes/program.ts";
import type { StepName } from "../../src/events/events.ts";
import type { FakeSite, Said } from "../fakes/site.ts";
import { anyScenario, arm, type Scenario, siteOf } from "./scenario.ts";
import { watch, type Witness } from "./witness.ts";

vi.setConfig({ maxConcurrency: 6 });

/** What must never be is not tried again until it is not. */
const once = { retry: 0 };

const isFull = process.env["CHAOS"] === "full";
const seed = Number(process.env["SEED"] ?? (isFull ? Date.now() % 1_000_000 : 1));
const replayed: Scenario | undefined = JSON.parse(process.env["SCENARIO"] ?? "null") ?? undefined;

const drawn = (signals: boolean, count: number): (readonly [string, Scenario])[] =>
  replayed
    ? [["replayed", replayed] as const].filter(() => hasSignal(replayed) === signals)
    : fc
        .sample(fc.noBias(anyScenario({ signals })), {
          seed: signals ? seed + 1 : seed,
          numRuns: isFull ? 30 * count : count,
        })
        .map((scenario, i) => [`${i + 1} of seed ${seed}: ${say(scenario)}`, scenario] as const);

const hasSignal = ({ faults }: Scenario): boolean =>
  faults.some(({ what }) => what.endsWith("signal") || what.endsWith("signals"));

const say = ({ nodes, balancers, faults }: Scenario): string =>
  [
    `${nodes} nodes, ${balancers} balancers`,
    ...faults.map((f) => `${f.what} (${f.node} ${f.step} ${f.balancer})`),
  ].join("; ");

/** How often what came: a test that only ever sees refusals shows nothing. */
const came = { deploys: 0, refused: 0, unharmed: 0, resumes: 0 };

const plain: Omit<Scenario, "nodes" | "faults"> = {
  balancers: 2,
  backends: ["app"],
  rise: 2,
  fall: 2,
  batch: 1,
  minServing: 1,
  maxFailures: 0,
  includeDown: false,
  theirs: [],
};

// Drawn rarely: by the plan there was enough, and then there is not.
const lacking: Scenario = {
  ...plain,
  nodes: 4,
  minServing: 3,
  faults: [
    { what: "the server before it goes down by itself", node: "web2", step: "check", balancer: "lb2" },
  ],
};

test.concurrent("a server that goes down by itself in the middle", once, () => replayable(lacking, holds));

test.concurrent.for(drawn(false, 7))("scenario %s", once, ([, scenario]) => replayable(scenario, holds));

// A signal reaches every run of this process: one at a time.
test.for(drawn(true, 2))("with signals, %s", once, ([, scenario]) => replayable(scenario, holds));

/** The process that does this run ends while web1 is so far. */
interface Ending {
  nodes: number;
  batch: number;
  type: Moment["type"];
  step: StepName;
  later: number;
}
const ends = fc.record<Ending>({
  nodes: fc.integer({ min: 2, max: 4 }),
  batch: fc.integer({ min: 1, max: 2 }),
  // The upgrade's own moments are in killed.test.ts: nobody knows its end.
  step: fc.constantFrom("drain", "settle", "restart", "check", "ready"),
  type: fc.constantFrom("step started", "step ended"),
  later: fc.integer({ min: 0, max: 60 }),
});
const kills = replayed ? [] : fc.sample(fc.noBias(ends), { seed, numRuns: isFull ? 40 : 1 });

beforeAll(() => (kills.length > 0 ? buildProgram() : undefined));

test.concurrent.for(kills)("killed: %j", once, async ({ nodes, batch, ...moment }) => {
  const scenario: Scenario = { ...plain, nodes, batch, minServing: nodes - batch, faults: [] };
  await replayable(scenario, (site, witness) => holdsKilled(site, witness, { ...moment, node: "web1" }));
});

afterAll(() => {
  if (replayed) return;
  console.log(`seed ${seed}: ${JSON.stringify(came)}`);
  expect(came.resumes).toBeGreaterThan(came.deploys / 4);
  expect(came.refused).toBeLessThan(came.deploys / 2);
});

async function replayable(
  scenario: Scenario,
  work: (site: FakeSite, witness: Witness, scenario: Scenario) => Promise<void>,
): Promise<void> {
  await using site = await siteOf(scenario);
  const witness = watch(site, scenario);
  try {
    await work(site, witness, scenario);
    expect(witness.wrongs).toEqual([]);
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw new Error(`${why}\n${witness.wrongs.join("\n")}\nSCENARIO='${JSON.stringify(scenario)}'`, {
      cause: thrown,
    });
  }
}

/** One run with everything that goes wrong; then without, to its end. */
async function holds(site: FakeSite, witness: Witness, scenario: Scenario): Promise<void> {
  const before = statesOf(site);
  const mend = arm(site, scenario);
  const deploy = ["deploy", "--set", "RELEASE=2", ...(scenario.includeDown ? ["--include-down"] : [])];
  const first = await said(site, witness, deploy);
  came.deploys += 1;
  await expectKnown(site, witness, before);
  mend();
  const run = await lastRun(site);
  if (!run) {
    came.refused += 1;
    expect(first.code === 0 || first.code === 3, first.err).toBe(true);
    expect([...witness.told]).toEqual([]);
    return;
  }
  if (first.code === 0) came.unharmed += 1;
  else await untilDone(site, witness, deploy);
  await expectDone(site, witness, before);
}

async function holdsKilled(site: FakeSite, witness: Witness, moment: Moment): Promise<void> {
  const before = statesOf(site);
  const deploy = ["deploy", "--set", "RELEASE=2"];
  await runUntilKilled(moment, [...deploy, "-i", site.inventory], { env: site.env });
  await expectKnown(site, witness, before);
  await untilDone(site, witness, deploy);
  await expectDone(site, witness, before);
}

async function said(site: FakeSite, witness: Witness, words: string[]): Promise<Said> {
  witness.newRun();
  const answer = await site.rota(...words, "--json");
  expect([0, 1, 2, 3, 4], answer.err).toContain(answer.code);
  expect(answer.err).not.toMatch(/^ +at |defect of rota/m);
  return answer;
}

/** Goes on, as the messages say, until there is nothing left; a machine that is busy may let a wait end too early. */
async function untilDone(site: FakeSite, witness: Witness, deploy: string[]): Promise<void> {
  const answers: string[] = [];
  for (let tried = 0; tried < 4; tried++) {
    const run = await lastRun(site);
    const upgraded = (run?.steps ?? [])
      .filter(({ step, ok }) => step === "upgrade" && ok)
      .map(({ node }) => node);
    const upgrades = upgraded.map((node) => upgradesOf(witness, node));
    for (const node of upgraded) expect(witness.logOf(node), `${node} is upgraded`).toContain("upgraded");
    came.resumes += 1;
    // Nothing was touched by a run that was refused: it begins anew.
    let answer = await said(site, witness, run?.outcome === "refused" ? deploy : ["resume"]);
    if (answer.code === 2) {
      expect(answer.err).toMatch(/is it to be tried again|nobody knows whether the upgrade/);
      answer = await said(site, witness, ["resume", "--retry"]);
    }
    expect(
      upgraded.map((node) => upgradesOf(witness, node)),
      `${upgraded.join(", ")}: upgraded once`,
    ).toEqual(upgrades);
    answers.push(`${answer.code} ${answer.err}`);
    if (answer.code === 0) return;
  }
  throw new Error(`does not come to its end:\n${answers.join("\n")}`);
}

const upgradesOf = ({ logOf }: Witness, node: string): number =>
  logOf(node).filter((line) => line === "upgrade").length;

async function lastRun(site: FakeSite) {
  await using journal = await site.journal();
  const [last] = await journal.runs("fake", 1);
  return last && (await journal.run(last.run));
}

const statesOf = (site: FakeSite): Map<string, string> =>
  new Map(site.nodes.map((node) => [node, stateOf(site, node)]));

/** In every place, in order. */
const stateOf = (site: FakeSite, node: string): string =>
  site.balancers.flatMap((lb) => site.backends.map((backend) => lb.stateOf(backend, node))).join(" ");

/** Each node is as it was found, or `status` says that it is out, and because of which run. */
async function expectKnown(site: FakeSite, { told }: Witness, before: Map<string, string>): Promise<void> {
  const { out } = await site.rota("status", "--json");
  const status: { nodes: { name: string; absence?: { run: string } }[] } = JSON.parse(out);
  for (const node of site.nodes) {
    const now = stateOf(site, node);
    if (!told.has(node) || now === before.get(node)) continue;
    const known = status.nodes.find(({ name }) => name === node)?.absence?.run;
    expect(
      known,
      `${node}: ${before.get(node)} → ${now}, and status knows of no run that took it out`,
    ).toBeDefined();
  }
}

/** As after a run that nothing went wrong with. */
async function expectDone(site: FakeSite, witness: Witness, before: Map<string, string>): Promise<void> {
  await using journal = await site.journal();
  expect(await journal.absences("fake")).toEqual(new Map());
  const run = await lastRun(site);
  expect(run?.outcome).toBe("done");
  for (const node of site.nodes) {
    if (!run?.nodes.includes(node)) {
      expect(witness.told.has(node), `${node} takes no part`).toBe(false);
      expect(witness.logOf(node)).toEqual([]);
      continue;
    }
    expect(stateOf(site, node), node).toBe(before.get(node));
    expect(witness.logOf(node), node).toContain("upgraded");
    expect(witness.logOf(node).at(-1), node).toBe("restarted");
    for (const lb of site.balancers)
      for (const backend of site.backends)
        await vi.waitFor(() => expect(lb.server(backend, node).operational, node).toBe(2)); // its checks need a moment
  }
}

import { expect, test } from "vitest";
import { type Event, type StepName, stepNames } from "../../src/events/events.ts";
import type { FakeServer } from "../fakes/haproxy.ts";
import { fakeSite, type FakeSite, type Said } from "../fakes/site.ts";

/**
 * Every step meets every fault. Whatever happens: nothing that was changed is made ready unproven, everything
 * that is out is known, and when the fault is gone the same command ends well.
 */

interface Fault {
  what: string;
  at: StepName[];
  begin: (site: FakeSite) => void;
  /** For one that lasts. */
  end?: (site: FakeSite) => void;
}

const faulty = (site: FakeSite): FakeServer => site.balancer("lb2").server("app", "web1");

const balancerFaults: Fault[] = [
  {
    what: "that closes two connections",
    at: ["drain", "settle", "ready"],
    begin: (site) => site.balancer("lb2").next("close", "reset"),
  },
  {
    what: "that cuts an answer",
    at: ["drain", "ready"],
    begin: (site) => site.balancer("lb2").next("cut"),
  },
  {
    what: "whose old worker answers",
    at: ["drain"],
    begin: (site) => site.balancer("lb2").next("old worker", "old worker"),
  },
  {
    what: "that denies one line",
    at: ["drain", "settle", "ready"],
    begin: (site) => site.balancer("lb2").next({ answer: "Permission denied\n\n".repeat(4) }),
  },
  {
    what: "that reloads",
    at: ["drain", "upgrade", "ready"],
    begin: (site) => site.balancer("lb2").reload(),
  },
  {
    what: "that is gone",
    at: ["drain", "restart", "ready"],
    begin: (site) => site.balancer("lb2").always("reset"),
    end: (site) => site.balancer("lb2").always(undefined),
  },
  {
    what: "that gives no rights any more",
    at: ["settle", "ready"],
    begin: (site) => (site.balancer("lb2").level = "operator"),
    end: (site) => (site.balancer("lb2").level = "admin"),
  },
  {
    what: "that says done and does nothing",
    at: ["drain", "settle", "check"],
    begin: (site) => (faulty(site).ignoresState = true),
    end: (site) => (faulty(site).ignoresState = false),
  },
  {
    what: "that finds the app ill",
    at: ["survey", "ready"],
    begin: (site) => (faulty(site).passes = false),
    end: (site) => (faulty(site).passes = true),
  },
];

const nodeFaults: Fault[] = [
  {
    what: "whose app answers 500",
    at: ["check"],
    begin: (site) => site.app("web1").answers({ status: 500 }),
    end: (site) => site.app("web1").answers({ status: 200 }),
  },
  {
    what: "whose SSH is cut",
    at: ["upgrade", "check"],
    begin: (site) => site.host("web1").cut(),
  },
  {
    what: "whose host dies at its next command",
    at: ["settle"],
    begin: (site) => site.host("web1").dieDuring(/./),
    end: (site) => site.host("web1").dieDuring(/^never$/),
  },
];

/** Each fault at each step takes minutes; without EVERY_FAULT each meets the steps where it can do harm. */
const matrix = (faults: Fault[]) =>
  faults.flatMap((fault) =>
    stepNames
      .filter((step) => process.env["EVERY_FAULT"] || fault.at.includes(step))
      .map((step) => [fault.what, step, fault] as const),
  );

const limits = { connect: "2s", command: "5s", ready: "500ms", capacity: "500ms" };
const pool = { drain: { within: "900ms" }, check: { within: "400ms" }, limits };

test.concurrent.for(matrix(balancerFaults))("a balancer %s at %s makes nothing ready unproven", expectSafe);
test.concurrent.for(matrix(nodeFaults))("a node %s at %s is not made ready unproven", expectSafe);

async function expectSafe([, step, fault]: readonly [
  what: string,
  step: StepName,
  fault: Fault,
]): Promise<void> {
  await using site = await fakeSite({ pool });
  site.atStep("web1", step, () => fault.begin(site));
  const said = await site.rota("deploy", "--set", "RELEASE=2", "--json");
  expect([0, 1, 3, 4]).toContain(said.code);
  expect(said.err).not.toMatch(/^ +at |defect of rota/m);
  expectProven(site, said.events);
  await expectKnown(site);
  if (said.code === 0)
    return expect([site.stateOf("web1"), site.stateOf("web2")]).toEqual(["ready", "ready"]);
  expectSaid(site, said);

  // With the fault gone, what was to be done is done.
  fault.end?.(site);
  const again = await site.rota("deploy", "web1", "--set", "RELEASE=2", "--json");
  expect(again.code, again.err).toBe(0);
  expect(site.stateOf("web1")).toBe("ready");
  await using journal = await site.journal();
  expect(await journal.absences("fake")).toEqual(new Map());
}

/** Where a balancer was told ready after the node was changed, both proofs had come before. */
function expectProven(site: FakeSite, events: Event[]): void {
  if (site.host("web1").commands.length === 0) return;
  const passed = events.some(
    (event) => event.type === "step ended" && event.node === "web1" && event.step === "check" && event.ok,
  );
  for (const lb of site.balancers) {
    const told = lb.lines
      .flatMap((line) => line.split(";"))
      .filter((command) => command.startsWith("set server app/web1 state "))
      .map((command) => command.slice("set server app/web1 state ".length));
    const back = told.indexOf("ready", told.indexOf("maint"));
    if (back < 0) continue;
    expect(passed).toBe(true);
    expect(told.slice(0, back)).toContain("drain");
    // Whatever it is told, HAProxy has seen it pass.
    expect(lb.server("app", "web1").operational).toBe(2);
  }
}

/** What failed is told with what to do, and nobody else was touched. */
function expectSaid(site: FakeSite, { err, events }: Said): void {
  expect(err).toMatch(/^rota: web1: .*\S/m);
  expect(err).toMatch(
    /\n {2}left: {2}web1 is .*; web2 was not touched(\n {9}\(.*\))?\n {2}next: {2}.*rota (resume \w+|deploy) -i /,
  );
  expect(site.told("web2")).toEqual([]);
  expect(site.host("web2").commands).toEqual([]);
  expect(events.at(-1)).toMatchObject({ type: "run ended" });
  // "as it was found" is never said of what is not.
  if (err.includes("left:  web1 is as it was found")) expect(site.stateOf("web1")).toBe("ready");
}

/** Each node that is out is in the journal, and each that is not is not. */
async function expectKnown(site: FakeSite): Promise<void> {
  await using journal = await site.journal();
  const absences = await journal.absences("fake");
  for (const node of ["web1", "web2"]) {
    const out = site.balancers.some((lb) => lb.stateOf("app", node) !== "ready");
    if (out) expect(absences.get(node)).toMatchObject({ kind: "run" });
    else expect(absences.has(node)).toBe(false);
  }
}

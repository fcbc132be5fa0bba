/** Random fleets, and what goes wrong with them. */
import { writeFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { type StepName, stepNames } from "../../src/events/events.ts";
import type { FakeServer } from "../fakes/haproxy.ts";
import { type FakeSite, fakeSite } from "../fakes/site.ts";

export interface Scenario {
  nodes: number;
  balancers: number;
  backends: string[];
  rise: number;
  fall: number;
  batch: number | string;
  minServing: number | string;
  maxFailures: number;
  includeDown: boolean;
  /** Batches soak, and the next one leaves meanwhile. */
  pipeline?: boolean;
  /** Nodes that are not as they should be before rota comes, by somebody else or by themselves. */
  theirs: { node: string; state: "down" | "maint" | "drain" | "weight 0"; everywhere: boolean }[];
  faults: Fault[];
}

/** What goes wrong, when that node begins that step; with that balancer, where it is about one. */
export interface Fault {
  what: keyof typeof effects;
  node: string;
  step: StepName;
  balancer: string;
}

interface Effect {
  begin: (site: FakeSite, fault: Fault) => void;
  /** Mends it, for one that lasts. */
  end?: (site: FakeSite, fault: Fault) => void;
  /** There before the run begins. */
  fromStart?: true;
  /** The steps that it can disturb; absent: all. */
  at?: StepName[];
}

const file = (site: FakeSite, { node }: Fault, name: string): string => join(site.host(node).folder, name);

/** The node's line in every backend of that balancer. */
const linesOf = (site: FakeSite, { node, balancer }: Pick<Fault, "node" | "balancer">): FakeServer[] =>
  site.backends.map((backend) => site.balancer(balancer).server(backend, node));

/** The lines of the node that is before this one. */
const linesBefore = (site: FakeSite, { node, balancer }: Fault) => {
  const before = site.nodes.at(site.nodes.indexOf(node) - 1) ?? node;
  return linesOf(site, { node: before, balancer });
};

const goDown = (server: FakeServer): void =>
  void Object.assign(server, { passes: false, operational: 0, health: 0 });

/** Only where one node leaves at a time: nobody counts on that server while it goes. */
const serverGoesDown = "the server before it goes down by itself";

const signal = (): void => void process.emit("SIGTERM", "SIGTERM");

const busy = (site: FakeSite, fault: Fault, sessions: number): void =>
  linesOf(site, fault).forEach((server) => (server.sessions = sessions));

const effects = {
  "the upgrade fails": {
    fromStart: true,
    begin: (site, fault) => writeFileSync(file(site, fault, "no-upgrade"), ""),
    end: (site, fault) => rmSync(file(site, fault, "no-upgrade")),
  },
  "the restart fails": {
    fromStart: true,
    begin: (site, fault) => writeFileSync(file(site, fault, "no-restart"), ""),
    end: (site, fault) => rmSync(file(site, fault, "no-restart")),
  },
  "the app answers 500": {
    at: ["drain", "restart", "check"],
    begin: (site, { node }) => site.app(node).answers({ status: 500 }),
    end: (site, { node }) => site.app(node).answers({ status: 200, body: wellBody }),
  },
  "the app answers with another body": {
    at: ["drain", "restart", "check"],
    begin: (site, { node }) => site.app(node).answers({ status: 200, body: "booting" }),
    end: (site, { node }) => site.app(node).answers({ status: 200, body: wellBody }),
  },
  "the balancer's check never passes": {
    at: ["restart", "check", "ready"],
    begin: (site, fault) => linesOf(site, fault).forEach((server) => (server.passes = false)),
    end: (site, fault) => linesOf(site, fault).forEach((server) => (server.passes = true)),
  },
  "the balancer drops two connections": {
    begin: (site, { balancer }) => site.balancer(balancer).next("close", "reset"),
  },
  "the balancer cuts an answer": { begin: (site, { balancer }) => site.balancer(balancer).next("cut") },
  "the balancer's old worker answers": {
    begin: (site, { balancer }) => site.balancer(balancer).next("old worker", "old worker"),
  },
  "the balancer never answers once": { begin: (site, { balancer }) => site.balancer(balancer).next("hang") },
  "the balancer is gone for a while": {
    begin(site, { balancer }) {
      site.balancer(balancer).always("reset");
      setTimeout(() => site.balancer(balancer).always(undefined), 400);
    },
  },
  "the balancer is gone": {
    begin: (site, { balancer }) => site.balancer(balancer).always("reset"),
    end: (site, { balancer }) => site.balancer(balancer).always(undefined),
  },
  "the balancer gives no rights": {
    begin: (site, { balancer }) => (site.balancer(balancer).level = "operator"),
    end: (site, { balancer }) => (site.balancer(balancer).level = "admin"),
  },
  "the balancer does nothing of what it is told": {
    at: ["drain", "settle", "upgrade", "restart", "check", "ready"],
    begin: (site, fault) => linesOf(site, fault).forEach((server) => (server.ignoresState = true)),
    end: (site, fault) => linesOf(site, fault).forEach((server) => (server.ignoresState = false)),
  },
  "the balancer reloads": {
    at: ["settle", "upgrade", "restart", "check", "ready"],
    begin: (site, { balancer }) => site.balancer(balancer).reload(),
  },
  "SSH is cut": {
    at: ["drain", "upgrade", "restart"],
    begin: (site, { node }) => site.host(node).cut(),
  },
  "SSH is cut while it upgrades": {
    fromStart: true,
    begin: (site, { node }) => site.host(node).dieDuring(/upgraded/),
    end: (site, { node }) => site.host(node).dieDuring(/(?!)/),
  },
  "SSH is cut while it restarts": {
    fromStart: true,
    begin: (site, { node }) => site.host(node).dieDuring(/restarted/),
    end: (site, { node }) => site.host(node).dieDuring(/(?!)/),
  },
  "a session ends late": {
    at: ["drain", "settle", "upgrade", "restart"],
    begin(site, fault) {
      busy(site, fault, 1);
      setTimeout(() => busy(site, fault, 0), 300);
    },
  },
  "a session does not end": {
    at: ["drain", "settle", "upgrade", "restart"],
    begin: (site, fault) => busy(site, fault, 1),
    end: (site, fault) => busy(site, fault, 0),
  },
  [serverGoesDown]: {
    at: ["check", "ready"],
    begin: (site, fault) => linesBefore(site, fault).forEach(goDown),
    end: (site, fault) => linesBefore(site, fault).forEach((server) => (server.passes = true)),
  },
  "one signal": { begin: signal },
  "two signals": {
    begin() {
      signal();
      signal();
    },
  },
} satisfies Record<string, Effect>;

const effectOf = (what: Fault["what"]): Effect => effects[what];
const everyFault = Object.keys(effects).filter((what): what is Fault["what"] => what in effects);
const isSignal = (what: Fault["what"]): boolean => what === "one signal" || what === "two signals";

function stepOf({ what, step }: { what: Fault["what"]; step: number }): StepName {
  const steps = effectOf(what).at ?? stepNames;
  return steps[step % steps.length] ?? "survey";
}

export const wellBody = '{"status":"ok"}';

/** @param signals The process is told to stop at a random moment, too. */
export function anyScenario({ signals }: { signals: boolean }): fc.Arbitrary<Scenario> {
  const fault = (what: Fault["what"][]) =>
    fc.record({
      what: fc.constantFrom(...what),
      node: fc.nat(5),
      step: fc.nat(100),
      balancer: fc.nat(2),
    });
  const plain = fault(everyFault.filter((what) => !isSignal(what)));
  return fc
    .record({
      nodes: fc.constantFrom(2, 3, 3, 4, 4, 5, 6),
      balancers: fc.integer({ min: 1, max: 3 }),
      backends: fc.boolean().map((both) => (both ? ["app", "admin"] : ["app"])),
      rise: fc.integer({ min: 1, max: 3 }),
      fall: fc.integer({ min: 1, max: 3 }),
      batch: fc.constantFrom(1, 2, 3, "34%", "50%"),
      minServing: fc.constantFrom(0, 1, 1, 2, 3, "25%", "34%", "50%"),
      maxFailures: fc.constantFrom(0, 0, 1, 2),
      includeDown: fc.boolean(),
      theirs: fc.array(
        fc.record({
          node: fc.nat(5),
          state: fc.constantFrom("down", "down", "maint", "drain", "weight 0"),
          everywhere: fc.boolean(),
        }),
        { maxLength: 1 },
      ),
      faults: fc.array(plain, { minLength: signals ? 0 : 1, maxLength: 3 }),
      signals: fc.tuple(fault(everyFault.filter(isSignal))),
    })
    .map(({ signals: stops, ...drawn }): Scenario => {
      const node = (n: number): string => `web${(n % drawn.nodes) + 1}`;
      return {
        ...drawn,
        batch: drawn.faults.some(({ what }) => what === serverGoesDown) ? 1 : drawn.batch,
        pipeline: drawn.nodes % 2 === 0,
        // Of a fleet that must serve in full no node can leave at all, which needs no scenario.
        minServing:
          typeof drawn.minServing === "number"
            ? Math.min(drawn.minServing, drawn.nodes - 1)
            : drawn.minServing,
        theirs: drawn.theirs.map((one) => ({ ...one, node: node(one.node) })),
        faults: [...drawn.faults, ...(signals ? stops : [])].map((one) => ({
          ...one,
          node: node(one.node),
          step: stepOf(one),
          balancer: `lb${(one.balancer % drawn.balancers) + 1}`,
        })),
      };
    });
}

/** Leaves a trace of what was done on the node. */
const script = (name: "upgrade" | "restart"): string =>
  `echo ${name} >> log; [ ! -e no-${name} ]; echo ${name === "upgrade" ? "upgraded" : "restarted"} >> log`;

export async function siteOf(scenario: Scenario): Promise<FakeSite> {
  const { nodes, balancers, backends, rise, fall, batch, minServing, maxFailures } = scenario;
  const site = await fakeSite({
    nodes,
    balancers,
    backends,
    haproxy: { rise, fall },
    pool: {
      upgrade: script("upgrade"),
      restart: { run: script("restart") },
      drain: { within: "1s" },
      check: { body: '"status":"ok"', within: "600ms" },
      limits: { connect: "5s", command: "10s", ready: "600ms", capacity: "400ms" },
      rollout: {
        batch,
        min_serving: minServing,
        max_failures: maxFailures,
        ...(scenario.pipeline ? { pipeline: true, soak: "150ms", inconclusive: "go-on" } : {}),
      },
    },
  });
  for (const lb of site.balancers) mindful(lb);
  for (const { node, state, everywhere } of scenario.theirs)
    for (const lb of everywhere ? site.balancers : site.balancers.slice(0, 1))
      for (const backend of backends) {
        const server = lb.server(backend, node);
        if (state === "down") goDown(server);
        if (state === "maint") Object.assign(server, { admin: 1, operational: 0, health: 0 });
        if (state === "drain") server.admin = 8;
        if (state === "weight 0") server.weight = 0;
      }
  return site;
}

/** A reloaded balancer finds out at once who is down: nobody can count on a server that only seems to serve. */
function mindful(lb: FakeSite["balancers"][number]): void {
  const reload = lb.reload.bind(lb);
  lb.reload = () => {
    reload();
    for (const server of lb.servers())
      if (!server.passes) Object.assign(server, { operational: 0, health: 0 });
  };
}

/** Everything that is to go wrong in the first run. Returns what mends it all. */
export function arm(site: FakeSite, { faults, theirs, includeDown }: Scenario): () => void {
  let mended = false;
  const begun = new Set<Fault>();
  const begin = (fault: Fault): void => {
    if (mended) return;
    begun.add(fault);
    effectOf(fault.what).begin(site, fault);
  };
  for (const fault of faults) if (effectOf(fault.what).fromStart) begin(fault);
  const timely = faults.filter((fault) => !effectOf(fault.what).fromStart);
  const moments = new Map(timely.map(({ node, step }) => [`${node} ${step}`, { node, step }]));
  for (const { node, step } of moments.values())
    site.atStep(node, step, () => timely.filter((f) => f.node === node && f.step === step).forEach(begin));
  // What was down is cured by what is deployed.
  const ill = theirs.filter(({ state }) => includeDown && state === "down");
  for (const { node } of ill)
    site.atStep(node, "check", () => {
      for (const lb of site.balancers)
        for (const backend of site.backends) lb.server(backend, node).passes = true;
    });
  return () => {
    mended = true;
    const ends = new Map([...begun].map((fault) => [`${fault.what} ${fault.node} ${fault.balancer}`, fault]));
    for (const fault of ends.values()) effectOf(fault.what).end?.(site, fault);
  };
}

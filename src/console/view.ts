/** What the page shows, as it travels: small, and the same for whoever watches. Pure. */
import type { FleetStatus, NodeStatus } from "../board/fleet-status.ts";
import { overdueLines } from "../board/overdue.ts";
import { markOf, noteOn, stateOf } from "../board/status-table.ts";
import type { RunEnd, StepName } from "../events/events.ts";
import type { RunRecord, WholeRun } from "../rotation/records.ts";

/** One server line: its place in `FleetView.places`, its state, sessions, requests a second, errors, whether it serves. */
export type EntryView = [
  place: number,
  state: string,
  sessions: number,
  rate: number,
  errors: number,
  serves: 0 | 1,
];

export interface NodeView {
  name: string;
  pool: string;
  release: string | undefined;
  mark: string;
  tone: string;
  note: string;
  /** A person holds it out. */
  held: boolean;
  entries: EntryView[];
}

export interface FleetView {
  fleet: string;
  places: string[];
  /** Servers that serve, and all, by place. */
  capacity: [serving: number, all: number][];
  /** What needs somebody, the worst first. */
  alerts: { tone: "bad" | "busy"; text: string }[];
  lease: string | undefined;
  nodes: NodeView[];
}

export function fleetView(status: FleetStatus, now: Date): FleetView {
  const places = [
    ...new Set(status.nodes.flatMap(({ entries }) => entries.map((e) => `${e.balancer}/${e.backend}`))),
  ].toSorted();
  const backends = new Map(status.backends.map((b) => [`${b.balancer}/${b.backend}`, b]));
  const numberOf = new Map(places.map((place, i) => [place, i]));
  const absences = status.nodes.flatMap(({ absence }) => absence ?? []);
  const bad = [
    ...status.nodes.flatMap(({ name, wrong }) => (wrong === undefined ? [] : [`${name} ${wrong}`])),
    ...overdueLines(absences, now, ""),
    ...status.problems,
  ];
  const busy = [...status.drift, ...status.unfinished];
  return {
    fleet: status.fleet,
    places,
    capacity: places.map((place) => {
      const backend = backends.get(place);
      return [backend?.serving ?? 0, backend?.servers ?? 0];
    }),
    alerts: [
      ...bad.map((text) => ({ tone: "bad" as const, text })),
      ...busy.map((text) => ({ tone: "busy" as const, text })),
    ],
    lease: status.lease,
    nodes: status.nodes.map((node) => nodeView(node, numberOf, now)),
  };
}

function nodeView(node: NodeStatus, numberOf: ReadonlyMap<string, number>, now: Date): NodeView {
  const { name, pool, release, absence, entries } = node;
  const { mark, tone } = markOf(node);
  return {
    name,
    pool,
    release,
    mark,
    tone,
    note: noteOn(node, now),
    held: absence?.kind === "hold",
    entries: entries.map((entry) => [
      numberOf.get(`${entry.balancer}/${entry.backend}`) ?? 0,
      stateOf(entry, false),
      entry.sessions,
      entry.traffic.perSecond,
      entry.traffic.errors,
      entry.outBecause ? 0 : 1,
    ]),
  };
}

export interface StepView {
  step: StepName;
  started: string;
  ended: string | undefined;
  ok: boolean | undefined;
  why: string | undefined;
}

export interface RunView {
  run: string;
  command: string;
  fleet: string;
  by: string;
  reason: string | undefined;
  set: Record<string, string>;
  started: string;
  ended: string | undefined;
  outcome: RunEnd | undefined;
  message: string | undefined;
  /** Open: nobody does it any more, and somebody may go on with it or close it. */
  state: "under way" | "open" | "closed";
  /** Who asked it to start no other node. */
  paused: string | undefined;
  nodes: RunNodeView[];
  deeds: { at: string; deed: string; by: string; reason: string | undefined; what: string | undefined }[];
}

/** One line of the history. */
export type RunLine = Omit<RunView, "nodes" | "deeds" | "paused" | "fleet" | "message" | "state"> & {
  nodes: number;
};

export interface RunNodeView {
  name: string;
  steps: StepView[];
  /** What it waits for. */
  saw: string | undefined;
  end: string | undefined;
  why: string | undefined;
}

/** How it was called is in the journal only: it names files of this machine. */
export const runLine = (run: RunRecord): RunLine => ({
  run: run.run,
  command: run.command,
  by: run.by,
  reason: run.reason,
  set: run.set,
  started: run.started.toISOString(),
  ended: run.ended?.toISOString(),
  outcome: run.outcome,
  nodes: run.nodes.length,
});

/** What a run sees is told a moment later than its steps: so it says of which. */
export const sayAtStep = (step: StepName, saw: string): string => `${step}: ${saw}`;

const sawAt = (step: StepName | undefined, said: string | undefined): string | undefined =>
  step !== undefined && said?.startsWith(sayAtStep(step, "")) === true
    ? said.slice(sayAtStep(step, "").length)
    : undefined;

/** What was done by hand is done anew; only where it was cut off it may still have to be gone on with. */
function isOpen({ command, ended, outcome }: RunRecord): boolean {
  const byHand = command === "drain" || command === "ready";
  return ended === undefined || (!byHand && (outcome === "failed" || outcome === "interrupted"));
}

export function runView(
  run: WholeRun,
  {
    seen = {},
    paused,
    underWay = false,
  }: { seen?: Record<string, string>; paused?: string | undefined; underWay?: boolean } = {},
): RunView {
  const steps = new Map<string, StepView[]>();
  for (const { node, step, started, ended, ok, why } of run.steps) {
    const view = { step, started: started.toISOString(), ended: ended?.toISOString(), ok, why };
    const own = steps.get(node);
    if (own) own.push(view);
    else steps.set(node, [view]);
  }
  const trips = new Map(run.trips.map((trip) => [trip.node, trip]));
  return {
    ...runLine(run),
    fleet: run.fleet,
    state: underWay ? "under way" : isOpen(run) ? "open" : "closed",
    message: run.message,
    paused,
    nodes: run.nodes.map((name) => ({
      name,
      steps: steps.get(name) ?? [],
      saw: sawAt(steps.get(name)?.findLast(({ ended }) => ended === undefined)?.step, seen[name]),
      end: trips.get(name)?.outcome,
      why: trips.get(name)?.why,
    })),
    deeds: run.deeds.map(({ at, deed, by, reason, what }) => ({
      at: at.toISOString(),
      deed,
      by,
      reason,
      what,
    })),
  };
}

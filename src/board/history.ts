/** Runs of the past, as lines. Pure. */
import { sayDuration } from "../base/duration.ts";
import { shownValues } from "../base/quote.ts";
import { type StepName, hookNames, stepNames } from "../events/events.ts";
import type { DeedRecord, RunRecord, StepRecord, WholeRun } from "../rotation/records.ts";
import { type Paint, type Tone, unpainted } from "./board.ts";
import { columns, fit } from "./width.ts";

/** One line a run, and one for each thing that a person did to one, or to a lease; the newest first. */
export function runsLines(runs: RunRecord[], deeds: DeedRecord[], now: Date): string[] {
  if (runs.length === 0 && deeds.length === 0) return ["no run is in the journal yet"];
  const rows = [
    ...runs.map((run) => ({ at: run.started, row: runRow(run, now) })),
    ...deeds.map((deed) => ({ at: deed.at, row: deedRow(deed) })),
  ].toSorted((a, b) => b.at.getTime() - a.at.getTime());
  return columns([["run", "when", "took", "command", "nodes", "ended", "by"], ...rows.map(({ row }) => row)]);
}

const runRow = (run: RunRecord, now: Date): string[] => [
  run.run,
  sayTime(run.started),
  sayDuration((run.ended ?? now).getTime() - run.started.getTime()),
  sayCommand(run),
  run.nodes.length === 1 ? run.nodes.join() : `${run.nodes.length}`,
  run.outcome ?? "unfinished",
  sayBy(run),
];

const deedRow = (deed: DeedRecord): string[] => [
  deed.run ?? "",
  sayTime(deed.at),
  "",
  [deed.deed, ...(deed.fleet === undefined ? [] : [deed.fleet])].join(" "),
  "",
  "",
  sayBy(deed),
];

const sayBy = ({ by, reason }: { by: string; reason: string | undefined }): string =>
  `${by}${reason === undefined ? "" : `: ${reason}`}`;

export const sayTime = (date: Date): string => `${date.toISOString().slice(0, 19).replace("T", " ")}Z`;

const sayCommand = ({ command, fleet, set }: RunRecord): string =>
  [command, fleet, ...shownValues(set)].join(" ");

/** A bar that is wider shows no more. */
const widest = 120;

/** Each step is drawn in its own letter. */
const letters: Record<StepName, string> = {
  prepare: "p",
  once: "o",
  survey: "v",
  drain: "d",
  settle: "s",
  upgrade: "u",
  restart: "r",
  undo: "x",
  check: "c",
  ready: "y",
  soak: "k",
};

/** A run: one bar a node, on one axis of time, so that one sees where it went. */
export function runLines(run: WholeRun, now: Date, columnsWide: number, paint: Paint = unpainted): string[] {
  const width = Math.min(columnsWide, widest);
  const { started, ended, message } = run;
  const span = { from: started.getTime(), to: Math.max((ended ?? now).getTime(), started.getTime() + 1) };
  const names = Math.min(24, Math.max(4, ...run.nodes.map((name) => name.length)));
  const barWidth = Math.max(10, width - names - 22);
  return [
    ...headOf(run, now),
    "",
    ...run.nodes.map((node) => {
      const steps = run.steps.filter((step) => step.node === node);
      const end = run.trips.find((trip) => trip.node === node)?.outcome;
      const bar = barOf(steps, span, barWidth, now);
      const spent = sayDuration(spentOn(steps, now)).padStart(6);
      const left = `  ${fit(node, names).padEnd(names)}  ${(end ?? sayUnended(steps)).padEnd(9)}`;
      return `${paint(toneOf(end, steps), left)}${steps.length > 0 ? `${spent} ${bar}` : ""}`.trimEnd();
    }),
    "",
    paint("quiet", `  ${legendOf(run).join("  ")}`),
    ...printedBy(run, "").map((line) => paint("quiet", line)),
    ...(run.deeds.length > 0 ? ["", ...run.deeds.map((deed) => fit(sayDeed(deed), columnsWide))] : []),
    ...(message === undefined ? [] : ["", ...message.split("\n")]),
  ];
}

/** What its hooks printed. */
const printedBy = ({ outputs }: WholeRun, node: string): string[] =>
  outputs
    .filter((output) => output.node === node && hookNames.some((name) => name === output.step))
    .flatMap(({ step, text }) => [`  ${step}`, ...text.split("\n").map((line) => `      ${line}`)]);

const sayDeed = (deed: DeedRecord): string =>
  `  ${sayTime(deed.at)} ${deed.deed} by ${sayBy(deed)}${deed.what === undefined ? "" : `; ${deed.what}`}`;

/** Most runs prepare nothing, and don't soak. */
const legendOf = ({ steps }: WholeRun): string[] =>
  stepNames
    .filter((name) => !/^(prepare|once|undo|soak)$/.test(name) || steps.some(({ step }) => step === name))
    .map((name) => `${letters[name]} ${name}`);

const sayUnended = (steps: StepRecord[]): string =>
  tripOf(steps).length > 0 || steps.some(({ ended }) => !ended) ? `at ${steps.at(-1)?.step}` : "no turn";

/** Without what was done before its turn. */
const tripOf = (steps: StepRecord[]): StepRecord[] => steps.filter(({ step }) => !isBefore(step));

/** Run before any node leaves. */
const isBefore = (step: StepName): boolean => step === "prepare" || step === "once";

const toneOf = (end: string | undefined, steps: StepRecord[]): Tone => {
  if (end === "back") return "good";
  if (end === "out") return "bad";
  return end === undefined && tripOf(steps).length > 0 ? "busy" : "plain";
};

const endOf = (step: StepRecord, now: Date): number => (step.ended ?? now).getTime();

const spentOn = (all: StepRecord[], now: Date): number => {
  const steps = tripOf(all);
  const [first] = steps;
  const last = steps.at(-1);
  return first && last ? endOf(last, now) - first.started.getTime() : 0;
};

interface Span {
  from: number;
  to: number;
}

function barOf(steps: StepRecord[], { from, to }: Span, width: number, now: Date): string {
  const cell = (to - from) / width;
  const cells = Array.from({ length: width }, (_, i) => {
    const middle = from + (i + 0.5) * cell;
    const step = steps.find((one) => one.started.getTime() <= middle && middle < endOf(one, now));
    return step ? letters[step.step] : " ";
  });
  return cells.join("").trimEnd();
}

function headOf(run: WholeRun, now: Date): string[] {
  const took = sayDuration((run.ended ?? now).getTime() - run.started.getTime());
  const why = run.reason === undefined ? "" : ` (${run.reason})`;
  return [
    `run ${run.run}: ${sayCommand(run)}, by ${run.by}${why}`,
    `  ${sayTime(run.started)}, ${took}, ${run.outcome ?? "unfinished"}`,
  ];
}

/** One node of a run: a bar a step, and the whole output of its commands. */
export function nodeLines(
  run: WholeRun,
  node: string,
  now: Date,
  columnsWide: number,
  paint: Paint = unpainted,
): string[] {
  const width = Math.min(columnsWide, widest);
  const steps = run.steps.filter((step) => step.node === node);
  const trip = run.trips.find((one) => one.node === node);
  const most = Math.max(1, ...steps.map((step) => endOf(step, now) - step.started.getTime()));
  return [
    ...headOf(run, now),
    "",
    `${node}: ${trip?.outcome ?? sayUnended(steps)}${trip?.why === undefined ? "" : `, ${trip.why}`}`,
    ...steps.flatMap((step) => {
      const ms = endOf(step, now) - step.started.getTime();
      const bar = "█".repeat(Math.max(1, Math.round((ms / most) * Math.max(10, width - 24))));
      const mark = step.ok === true ? "✓" : step.ok === false ? "✗" : "?";
      const tone = step.ok === true ? "good" : step.ok === false ? "bad" : "busy";
      return [
        paint(tone, `  ${mark} ${step.step.padEnd(8)} ${sayDuration(ms).padStart(6)}  ${bar}`),
        ...run.outputs
          .filter((output) => output.node === node && output.step === step.step)
          .flatMap(({ text }) => text.split("\n").map((line) => paint("quiet", `      ${line}`))),
      ];
    }),
    ...printedBy(run, node).map((line) => paint("quiet", line)),
  ];
}

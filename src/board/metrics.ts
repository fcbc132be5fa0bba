/** Totals as Prometheus reads them (text exposition format 0.0.4). Pure. */
import type { Totals } from "../journal/totals.ts";

/** A backend as it is now. */
export interface Serving {
  /** "lb1/app" */
  place: string;
  serving: number;
  servers: number;
}

type Sample = [labels: Record<string, string>, value: number, suffix?: "_sum" | "_count"];

export function metricsLines(fleet: string, totals: Totals, now: Serving[] = []): string[] {
  const of = (labels: Record<string, string> = {}): Record<string, string> => ({ fleet, ...labels });
  return [
    ...family(
      "rota_runs_total",
      "counter",
      "Runs in the journal that ended, by command and outcome.",
      totals.runs.map(({ command, outcome, count }): Sample => [of({ command, outcome }), count]),
    ),
    ...family(
      "rota_rotations_total",
      "counter",
      "Trips of nodes that ended, by how.",
      totals.rotations.map(({ outcome, count }): Sample => [of({ outcome }), count]),
    ),
    ...family(
      "rota_step_seconds",
      "summary",
      "Time that each step of a rotation took, and how often it was done.",
      totals.steps.flatMap(({ step, seconds, count }): Sample[] => [
        [of({ step }), Math.round(seconds * 1_000) / 1_000, "_sum"],
        [of({ step }), count, "_count"],
      ]),
    ),
    ...family(
      "rota_leases_lost_total",
      "counter",
      "Runs that stopped because their lease went to somebody else.",
      [[of(), totals.leasesLost]],
    ),
    ...family("rota_holds", "gauge", "Nodes that a person holds out of rotation.", [[of(), totals.holds]]),
    ...family("rota_holds_overdue", "gauge", "Holds that are past their time.", [[of(), totals.overdue]]),
    ...family("rota_nodes_left_out", "gauge", "Nodes that a run left out of rotation.", [
      [of(), totals.leftOut],
    ]),
    ...family("rota_runs_unfinished", "gauge", "Runs that have no end: under way, or cut off.", [
      [of(), totals.unfinished],
    ]),
    ...family(
      "rota_backend_serving",
      "gauge",
      "Servers of a backend that take traffic.",
      now.map(({ place, serving }): Sample => [of({ place }), serving]),
    ),
    ...family(
      "rota_backend_servers",
      "gauge",
      "Servers of a backend, backups not counted.",
      now.map(({ place, servers }): Sample => [of({ place }), servers]),
    ),
  ];
}

function family(
  name: string,
  type: "counter" | "gauge" | "summary",
  help: string,
  samples: Sample[],
): string[] {
  if (samples.length === 0) return [];
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(
      ([labels, value, suffix = ""]) =>
        `${name}${suffix}{${Object.entries(labels).map(sayLabel).join(",")}} ${value}`,
    ),
  ];
}

const sayLabel = ([key, value]: [string, string]): string =>
  `${key}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;

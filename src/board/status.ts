/** The fleet as every balancer sees it, as lines. Pure. */
import { sayDuration } from "../base/duration.ts";
import type { Backend, Entry } from "../rotation/ports.ts";
import type { Absence } from "../rotation/records.ts";
import { samePlace } from "../rotation/place.ts";
import { type Paint, type Tone, unpainted } from "./board.ts";
import { columns } from "./width.ts";

export interface FleetStatus {
  fleet: string;
  nodes: {
    pool: string;
    name: string;
    entries: Entry[];
    absence: Absence | undefined;
    /** Why our own run left it out. */
    failure: string | undefined;
  }[];
  backends: Backend[];
  /** Who changes the fleet now, in words. */
  lease: string | undefined;
  /** Runs that nobody finished, in words. */
  unfinished: string[];
  /** Balancers that could not be read, and why. */
  problems: string[];
}

/** @param where What a command needs to find the same inventory: " -i FILE", or nothing. */
export function statusLines(
  { fleet, nodes, backends, lease, unfinished, problems }: FleetStatus,
  now: Date,
  paint: Paint = unpainted,
  where = "",
): string[] {
  const wrong = nodes.flatMap((node) => {
    const what = sayWrong(node);
    return what === undefined ? [] : [{ name: node.name, what }];
  });
  const places = [
    ...new Set(nodes.flatMap(({ entries }) => entries.map((e) => `${e.balancer}/${e.backend}`))),
  ].toSorted();
  const rows = nodes.map((node) => [
    node.name,
    ...places.map((place) => sayEntry(node.entries.find((e) => `${e.balancer}/${e.backend}` === place))),
    node.absence ? sayAbsence(node.absence, node.failure, now) : sayUnknown(node.entries),
  ]);
  const [head = "", ...body] = columns([["node", ...places, ""], ...rows]);
  const relevant = backends.filter((b) => places.includes(`${b.balancer}/${b.backend}`));
  return [
    ...wrong.map(({ name, what }) =>
      paint(
        "bad",
        `! ${name} ${what}: rota drain ${name}${where}, or rota ready ${name}${where} if it is well`,
      ),
    ),
    ...problems.map((problem) => paint("bad", `! ${problem}`)),
    `${fleet}: ${relevant.map((b) => `${b.balancer}/${b.backend} ${b.serving} of ${b.servers} serving`).join(", ") || "no server seen"}`,
    ...unfinished.map((text) => paint("busy", text)),
    ...(lease === undefined ? [] : [paint("busy", `being changed by ${lease}`)]),
    "",
    paint("quiet", head),
    ...body.map((line, i) => paint(toneOf(nodes[i]?.entries ?? []), line)),
  ];
}

/** Also where a run did without a balancer that answers again: nobody can have told that one. */
function sayWrong({ entries, absence }: FleetStatus["nodes"][number]): string | undefined {
  if (!absence) return undefined;
  const serving = entries.filter((entry) => !entry.outBecause);
  if (serving.some((entry) => isWantedOut(entry, absence))) return "should be out and is IN ROTATION";
  const out = entries.filter((entry) => entry.outBecause === "person");
  if (serving.length === 0 || out.length === 0) return undefined;
  return `is out on ${sayWhere(out)} and IN ROTATION on ${sayWhere(serving)}`;
}

const sayWhere = (entries: Entry[]): string => entries.map((e) => `${e.balancer}/${e.backend}`).join(", ");

/** Where it was found in rotation, and taken out. */
const isWantedOut = (entry: Entry, absence: Absence | undefined): boolean =>
  absence?.found.some((place) => samePlace(place, entry)) ?? false;

const toneOf = (entries: Entry[]): Tone => {
  if (entries.length === 0 || entries.some((entry) => entry.outBecause === "health")) return "bad";
  return entries.some((entry) => entry.outBecause) ? "busy" : "plain";
};

const sayEntry = (entry: Entry | undefined): string => {
  if (!entry) return "-";
  const sessions = entry.sessions > 0 ? ` ${entry.sessions} sess` : "";
  return `${entry.status}${entry.weight === 0 ? " weight 0" : ""}${sessions}`;
};

/** Out, and not because of rota: what the balancers know of it. */
function sayUnknown(entries: Entry[]): string {
  const out = entries.filter((entry) => entry.outBecause);
  if (out.some((entry) => entry.outBecause === "person")) return "taken out by somebody else";
  return [...new Set(out.map((entry) => entry.lastCheck).filter(Boolean))].join(", ");
}

function sayAbsence(
  { kind, by, reason, since, until, run }: Absence,
  failure: string | undefined,
  now: Date,
): string {
  const age = sayDuration(now.getTime() - since.getTime());
  const due =
    until === undefined
      ? ""
      : until > now
        ? `, until ${clockTime(until)}`
        : `, OVERDUE since ${clockTime(until)}`;
  return kind === "hold"
    ? `held by ${by} for ${age}${due}: ${reason ?? "no reason given"}`
    : `left out by run ${run} (${by}) ${age} ago${failure === undefined ? "" : `: ${failure}`}`;
}

const clockTime = (date: Date): string => date.toISOString().slice(0, 16).replace("T", " ") + "Z";

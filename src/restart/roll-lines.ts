/** Reads what a program prints, line by line in JSON, that replaces the workers of an app one by one. Pure. */
import * as z from "zod";
import { sayDuration } from "../base/duration.ts";
import { printable } from "../base/quote.ts";
import { type WorkerNews, workerStates } from "../events/events.ts";
import type { Left, RollReader, Told } from "../rotation/restart-way.ts";

/** What a node says is not believed to be well-formed: what is no such line is text, and a value that is none is left out. */
const none = undefined;
const seconds = z.number().min(0).max(1e6).optional().catch(none);
const said = z.object({
  event: z.string(),
  text: z.string().catch(""),
  seconds,
  since: seconds,
  pid: z.int().positive().optional().catch(none),
  state: z.string().optional().catch(none),
  release: z.string().nullish().catch(none),
  new: z.boolean().optional().catch(none),
  count: z.int().min(1).max(10_000).optional().catch(none),
  error: z.string().optional().catch(none),
  exit: z.int().optional().catch(none),
});
type Said = z.infer<typeof said>;

const mostLines = 40;
const mostWorkers = 1_000;

/** The exit codes of such a program (docs/gunicorn.md). */
const leftBy: Record<number, Left> = { 0: "new", 1: "old", 2: "mixed", 64: "as found" };

export function readRoll(): RollReader {
  const roll: Roll = { of: 0, goesBack: false, error: "", left: new Map(), end: undefined, why: undefined };
  const times = timesOfWorkers();
  return {
    tell(line) {
      const heard = parse(line);
      if (!heard) return [{ text: line }];
      const told = tell(heard, roll);
      for (const one of told) if ("worker" in one) times.hear(one.worker, heard.seconds ?? 0);
      return told;
    },
    times: times.lines,
    left: () => roll.end,
    why: () => roll.why,
  };
}

function parse(line: string): Said | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return said.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined; // cut off, perhaps
  }
}

interface Roll {
  of: number;
  goesBack: boolean;
  /** What the last worker that failed said of it. */
  error: string;
  /** Pids by what a line each says of how they were left: many lines would hide why it broke. */
  left: Map<string, number[]>;
  end: Left | undefined;
  why: string | undefined;
}

function tell(heard: Said, roll: Roll): Told[] {
  switch (heard.event) {
    case "roll":
      roll.of = Math.min(heard.count ?? 0, mostWorkers);
      return texts(heard.text);
    case "worker":
      return worker(heard, roll);
    case "broken":
      roll.why = oneLine(heard.text) || none;
      return [...texts(heard.text), ...errorLines(heard.error || roll.error)];
    case "restore":
      roll.goesBack = true;
      return texts(heard.text);
    case "left": {
      const how = `${heard.state ?? "?"}, running ${heard.release ?? "an unknown release"}`;
      const pids = roll.left.get(how) ?? [];
      if (heard.pid !== undefined && pids.length < mostWorkers) roll.left.set(how, [...pids, heard.pid]);
      return [];
    }
    case "end":
      roll.end = leftBy[heard.exit ?? -1];
      roll.why ??= oneLine(heard.text) || none;
      return [...[...roll.left].flatMap(leftLine), ...texts(heard.text)];
    default:
      return texts(heard.text);
  }
}

function worker(heard: Said, roll: Roll): Told[] {
  const { pid, since, release } = heard;
  const state = workerStates.find((one) => one === heard.state);
  if (pid === undefined || state === undefined) return texts(heard.text);
  if (state === "failed" && heard.error) roll.error = heard.error;
  const news: WorkerNews = {
    pid,
    state,
    of: roll.of,
    ...(heard.new === undefined ? {} : { isNew: heard.new }),
    ...(since === undefined ? {} : { sinceMs: Math.round(since * 1_000) }),
    ...(release ? { release: oneLine(release) } : {}),
    ...(roll.goesBack ? { goesBack: true } : {}),
  };
  return [{ worker: news }];
}

/** Not cut: secrets are hidden afterwards, and half of one would not be known. */
const oneLine = (text: string): string => printable(text.replaceAll("\n", " "));

const texts = (text: string): Told[] =>
  text === "" ? [] : text.split("\n", mostLines).map((line) => ({ text: oneLine(line) }));

/** Of a traceback the end says what it was. */
const errorLines = (error: string): Told[] =>
  error
    .trim()
    .split("\n")
    .slice(-mostLines)
    .filter((line) => line !== "")
    .map((line) => ({ text: `    ${oneLine(line)}` }));

/** "left: 3 workers ready, running /srv/app/releases/41: 8101 8102 8103" */
function leftLine([how, pids]: [string, number[]]): Told[] {
  const named = pids.length > mostNamed ? [...pids.slice(0, mostNamed), "…"] : pids;
  return texts(`left: ${pids.length} ${pids.length === 1 ? "worker" : "workers"} ${how}: ${named.join(" ")}`);
}

const mostNamed = 8;

/** How long each new one booted, and the one that it replaced took to end. */
function timesOfWorkers() {
  const failed: string[] = [];
  const booted: string[] = [];
  const ended: string[] = [];
  const leaving = new Map<number, number>();
  return {
    /** @param at seconds since the roll began */
    hear({ pid, state, sinceMs = 0, isNew }: WorkerNews, at: number): void {
      if (booted.length + failed.length > mostWorkers || leaving.size > mostWorkers) return;
      const since = leaving.get(pid);
      if (isNew && state === "ready") booted.push(`worker ${pid} booted in ${sayDuration(sinceMs)}`);
      else if (isNew && state === "failed") failed.push(`worker ${pid} failed after ${sayDuration(sinceMs)}`);
      else if (state === "leaving") leaving.set(pid, at);
      else if (state === "gone" && since !== undefined) {
        leaving.delete(pid);
        ended.push(`the old one, ${pid}, ended in ${sayDuration((at - since) * 1_000)}`);
      }
    },
    lines: () => [
      ...failed,
      ...Array.from({ length: Math.max(booted.length, ended.length) }, (_, i) =>
        [booted[i], ended[i]].filter((one) => one !== undefined).join("; "),
      ),
    ],
  };
}

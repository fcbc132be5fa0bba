/** A run that stopped at a node, in front of a person: what is to be done with that node, and the rest, now. */
import { RotaError } from "../base/errors.ts";
import { count } from "../board/width.ts";
import { openJournal } from "../journal/open.ts";
import type { RunRecord, WholeRun } from "../rotation/records.ts";
import { wasStillToCome } from "../rotation/trip-end.ts";
import { standingsOf } from "../rotation/unfinished.ts";
import { answerTo } from "./confirm.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { untouched } from "./refuse.ts";
import { errorLines } from "./show-error.ts";
import { fleetOf, whoIsThis } from "./site.ts";
import { commandLine } from "./words.ts";

interface Asked {
  inventory?: string | undefined;
  yes?: boolean | undefined;
  json?: boolean | undefined;
}

interface Choice {
  key: string;
  what: string;
  /** The same, to be typed later. */
  words: string[];
  act: () => Promise<ExitCode>;
}

/** The run has ended, and nobody has the lease: each choice is a command of its own. Enter, Ctrl-C or no terminal: it stays so. */
export async function askAfterStop(code: ExitCode, given: Asked, io: Io): Promise<ExitCode> {
  if (code !== Exit.failed || !io.keyboard || given.yes || given.json) return code;
  const { inventory } = given;
  const where = inventory === undefined ? [] : ["-i", inventory];
  const { name: fleet } = fleetOf(inventory, io);
  const run = await stoppedRun(fleet, io);
  let last: ExitCode = code;
  for (;;) {
    const choices = run === undefined ? [] : await choicesAfter(run, where, io);
    if (choices.length === 0) return last;
    const asked = await lastRun(fleet, io);
    const typed = (await answerTo(question(choices), io)).toLowerCase();
    const chosen = choices.find(({ key }) => key === typed);
    if (!chosen) return last;
    // An answer may come after hours: what it was about may be long over.
    const newer = await lastRun(fleet, io);
    if (newer && newer.run !== asked?.run) {
      for (const line of errorLines(overtaken(newer, chosen, where))) io.err(line);
      return last;
    }
    const now = await chosen.act().catch((thrown: unknown) => refused(thrown, io));
    // With one node back the run itself is still where it stopped.
    if (now !== undefined && chosen.key !== "b") last = now;
  }
}

/** Somebody else's may have come after it: then nothing is asked. */
async function stoppedRun(fleet: string, io: Io): Promise<string | undefined> {
  const last = await lastRun(fleet, io);
  return last?.outcome === "failed" && last.by === whoIsThis(io.env) ? last.run : undefined;
}

async function lastRun(fleet: string, io: Io): Promise<RunRecord | undefined> {
  await using journal = await openJournal(io.env);
  const [last] = await journal.runs(fleet, 1);
  return last;
}

const overtaken = ({ run, command, by }: RunRecord, { words }: Choice, where: string[]): RotaError =>
  new RotaError("REFUSED", {
    problem: `run ${run} (${command}, by ${by}) began while you were asked`,
    left: untouched,
    next: `${commandLine(["status", ...where])}; then ${commandLine(words)}, if that is still meant`,
  });

/** It could not begin, and something else may be chosen. */
function refused(thrown: unknown, io: Io): undefined {
  if (!(thrown instanceof RotaError)) throw thrown;
  for (const line of errorLines(thrown)) io.err(line);
}

function question(choices: Choice[]): string {
  const width = Math.max(...choices.map(({ what }) => what.length));
  const lines = choices.map(
    ({ key, what, words }) => `  ${key}      ${what.padEnd(width)}  ${commandLine(words)}`,
  );
  const keys = choices.map(({ key }) => key).join("/");
  return ["", "what now?", ...lines, `  Enter  stop here`, `[${keys}/Enter] `].join("\n");
}

async function choicesAfter(id: string, where: string[], io: Io): Promise<Choice[]> {
  await using journal = await openJournal(io.env);
  const run = await journal.run(id, false);
  if (!run || run.outcome !== "failed") return [];
  const absences = await journal.absences(run.fleet);
  const { halfDone, rest } = standingsOf(run);
  const stuck = stuckIn(run);
  const others = [...halfDone, ...rest].filter((node) => !stuck.includes(node));
  const goesOn = others.length === 0 ? "close the run" : `go on with ${count(others.length, "node")}`;
  const out = stuck.filter((node) => absences.get(node)?.kind === "run");
  return [
    ...(stuck.length === 0 ? [] : [retry(run, stuck, where, io)]),
    skip(run, stuck, `${stuck.length === 0 ? "" : `leave ${listed(stuck)} as it is, `}${goesOn}`, where, io),
    ...(out.length === 0 ? [] : [putBack(out, where, io)]),
  ];
}

/** Nodes at which it stopped: they failed, or went back as found because something was not so. */
function stuckIn(run: WholeRun): string[] {
  const { failed } = standingsOf(run);
  const asFound = run.trips.filter(
    (trip) => trip.outcome === "as found" && trip.why !== undefined && !wasStillToCome(trip),
  );
  return [...new Set([...failed, ...asFound.map(({ node }) => node)])];
}

const inventoryIn = ([, inventory]: string[]): { inventory: string | undefined } => ({ inventory });

const retry = ({ run }: WholeRun, stuck: string[], where: string[], io: Io): Choice => ({
  key: "r",
  what: `try ${listed(stuck)} again, then the rest`,
  words: ["resume", run, ...where, "--retry"],
  act: async () =>
    (await import("./resume.ts")).resume(
      { run, ...inventoryIn(where), retry: true, skip: [], confirmed: true },
      io,
    ),
});

const skip = ({ run }: WholeRun, stuck: string[], what: string, where: string[], io: Io): Choice => ({
  key: "s",
  what,
  words: ["resume", run, ...where, ...stuck.flatMap((node) => ["--skip", node])],
  act: async () =>
    (await import("./resume.ts")).resume({ run, ...inventoryIn(where), skip: stuck, confirmed: true }, io),
});

const putBack = (nodes: string[], where: string[], io: Io): Choice => ({
  key: "b",
  what: `put ${listed(nodes)} back as it is, proven first`,
  words: ["ready", ...nodes, ...where],
  act: async () =>
    (await import("./ready.ts")).ready({ nodes, ...inventoryIn(where), set: [], confirmed: true }, io),
});

const listed = (nodes: string[]): string =>
  nodes.length <= 3 ? nodes.join(", ") : `${nodes.slice(0, 2).join(", ")} and ${nodes.length - 2} more`;

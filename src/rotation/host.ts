/** What is done on the node itself: commands, and its own check. */
import { RotaError } from "../base/errors.ts";
import { notYet, poll, yes } from "../base/poll.ts";
import type { OutputLine, StepName, WorkerNews } from "../events/events.ts";
import { fill } from "../inventory/placeholders.ts";
import { atLimit } from "./at-limit.ts";
import type { RollReader, Script } from "./restart-way.ts";
import { sayPlace } from "./place.ts";
import { type Look, countOf, isBusy, sayOld } from "./quiet.ts";
import { untilAnswered, whileUnanswered } from "./unanswered.ts";
import { type Trip, type World, keepPrinted, nameOf, watchedOf } from "./world.ts";

/**
 * Drain still lets sticky clients and idle connections reach the node; maint does not. Before each thing that
 * is done on the node: a balancer that was reloaded since has forgotten it.
 */
export async function outOfReach(trip: Trip, world: World): Promise<void> {
  await untilAnswered(trip, world, () => tellMaint(trip, world));
  await untilEmpty(trip, world);
}

/** Nobody waits longer than this for what comes between the limit and maint. */
const lastMoment = 5_000;

/** A sticky client's request may have come between the quiet moment and maint: it is let end. */
export async function untilEmpty(trip: Trip, world: World): Promise<void> {
  const { balancers, clock, now, emit } = world;
  const node = nameOf(trip);
  const { within } = trip.pool.drain;
  const watched = watchedOf(trip);
  let last: Look | undefined;
  await poll({
    what: `the last requests of ${node} to end`,
    every: 25,
    within: trip.gaveUp === undefined ? within : Math.min(lastMoment, within),
    clock,
    signal: now,
    probe: () =>
      whileUnanswered(async () => {
        last = undefined;
        const seen = await balancers.watch(watched);
        const old = (await balancers.oldWorkers(watched)).active;
        last = { seen, old };
        if (countOf(last) <= (trip.gaveUp ?? 0)) return yes(undefined);
        const places = [...seen.filter(isBusy).map(sayPlace), ...old.filter(isBusy).map(sayOld)];
        return notYet(`requests at ${places.join(", ")}`);
      }),
    onSaw: (saw) => emit({ type: "waiting", node, step: "settle", saw }),
  }).catch((thrown: unknown) => atLimit(trip, world, thrown, last));
}

async function tellMaint(trip: Trip, { balancers, emit }: World): Promise<void> {
  const node = nameOf(trip);
  const back = (await balancers.look(trip.places)).filter((entry) => entry.admin !== "maint");
  if (trip.reached === "changed" && back.length > 0) {
    const text = `${back.map(sayPlace).join(", ")} no longer has ${node} out; told again`;
    emit({ type: "notice", node, text });
  }
  // Leaving maint makes HAProxy call any node up at once: from here the only way back is a proof.
  trip.reached = "changed";
  await balancers.set(back, "maint");
}

/** Shown with a failure. */
export const linesShown = 20;
/** Kept in the journal, of one command; a program that never stops printing must not fill it. */
export const linesKept = 5_000;

/** Runs a command on the node; what it prints is shown and kept. @throws RotaError for what is not done */
export async function runOnNode(
  trip: Trip,
  name: StepName,
  script: Script,
  world: World,
  reader?: RollReader,
): Promise<void> {
  const { run, hosts, emit, now } = world;
  const node = trip.node.name;
  trip.lastLines = [];
  const printed: string[] = [];
  const say = (line: OutputLine): void => {
    const text = trip.redact(line.text);
    trip.lastLines = [...trip.lastLines, text].slice(-linesShown);
    printed.push(text);
    if (printed.length > linesKept) printed.shift();
    emit({ type: "output", node, step: name, stream: line.stream, text });
  };
  const tell = (line: OutputLine): void => {
    if (!reader || line.stream === "stderr") return say(line);
    for (const told of reader.tell(line.text)) {
      if ("text" in told) say({ ...line, text: told.text });
      else emit({ type: "worker", node, step: name, ...redacted(told.worker, trip) });
    }
  };
  const outcome = await hosts.run(trip.node, script.run, {
    variables: { ...trip.variables, ...script.variables, ROTA_RUN: run },
    within: trip.pool.limits.command,
    signal: now,
    onOutput: tell,
  });
  printed.push(...(reader?.times() ?? []));
  if (printed.length > 0) await keepPrinted(trip, name, printed.join("\n"), world);
  if (outcome.kind === "done") return;
  const code = now.aborted ? "INTERRUPTED" : outcome.kind === "failed" ? "COMMAND_FAILED" : "COMMAND_UNKNOWN";
  const said = outcome.kind === "failed" ? reader?.why() : undefined;
  const why = said === undefined ? outcome.why : `${trip.redact(said)} (${outcome.why})`;
  throw new RotaError(code, { problem: `${name} on ${node}: ${why}` });
}

const redacted = (worker: WorkerNews, { redact }: Trip): WorkerNews =>
  worker.release === undefined ? worker : { ...worker, release: redact(worker.release) };

/**
 * The node's own word that it is well, so many times in a row.
 *
 * @param orStatus this status is as good
 */
export async function passes(
  trip: Trip,
  { health, clock, now, emit }: World,
  { step, orStatus }: { step: StepName; orStatus?: number } = { step: "check" },
): Promise<void> {
  const { check } = trip.pool;
  const values = valuesOf(trip);
  const url = fill(check.url, values);
  const body = check.body === undefined ? undefined : fill(check.body, values);
  let good = 0;
  await poll({
    what: `${trip.node.name} to pass its check (${trip.redact(url)})`,
    every: 25,
    within: check.within,
    clock,
    signal: now,
    probe: async () => {
      const fault = await health.faultOf(
        { url, status: check.status, orStatus, body },
        { within: Math.min(5_000, check.within), signal: now },
      );
      good = fault === undefined ? good + 1 : 0;
      return good >= check.times
        ? yes(undefined)
        : notYet(fault === undefined ? `${good} of ${check.times} good answers` : trip.redact(fault));
    },
    onSaw: (saw) => emit({ type: "waiting", node: trip.node.name, step, saw }),
  });
}

/** What {NAME} may stand for. An IPv6 address needs its brackets in a URL (RFC 3986 §3.2.2). */
export const valuesOf = ({ node, variables }: Pick<Trip, "node" | "variables">): Record<string, string> => ({
  ...variables,
  host: node.host.includes(":") ? `[${node.host}]` : node.host,
  node: node.name,
  server: node.server,
});

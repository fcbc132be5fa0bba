/** What is done on the node itself: upgrade, restart, and its own check. */
import { RotaError } from "../base/errors.ts";
import { notYet, poll, yes } from "../base/poll.ts";
import type { StepName } from "../events/events.ts";
import { fill } from "../inventory/placeholders.ts";
import { untilNewProcess } from "./process.ts";
import type { Trip, World } from "./world.ts";

export async function upgrade(trip: Trip, world: World): Promise<void> {
  if (trip.upgrade === undefined) return;
  await outOfReach(trip, world);
  await runOnNode(trip, "upgrade", trip.upgrade, world);
}

export async function restart(trip: Trip, world: World): Promise<void> {
  await outOfReach(trip, world);
  await runOnNode(trip, "restart", trip.pool.restart.run, world);
  if (trip.pool.restart.pidfile !== undefined) await untilNewProcess(trip, world);
}

/** Drain still lets sticky clients and idle connections reach the node; maint does not. */
async function outOfReach(trip: Trip, { balancers }: World): Promise<void> {
  if (trip.reached === "changed") return;
  await balancers.set(trip.places, "maint");
  trip.reached = "changed";
}

const linesKept = 20;

async function runOnNode(
  trip: Trip,
  name: StepName,
  script: string,
  { run, hosts, emit, now }: World,
): Promise<void> {
  const node = trip.node.name;
  trip.lastLines = [];
  const outcome = await hosts.run(trip.node, script, {
    variables: { ...trip.variables, ROTA_RUN: run },
    within: trip.pool.limits.command,
    signal: now,
    onOutput: (line) => {
      const text = trip.redact(line.text);
      trip.lastLines = [...trip.lastLines, text].slice(-linesKept);
      emit({ type: "output", node, step: name, stream: line.stream, text });
    },
  });
  if (outcome.kind === "done") return;
  const code = outcome.kind === "failed" ? "COMMAND_FAILED" : "COMMAND_UNKNOWN";
  throw new RotaError(code, { problem: `${name} on ${node}: ${outcome.why}` });
}

/** The node's own word that it is well, so many times in a row. */
export async function untilHealthy(trip: Trip, { health, clock, now, emit }: World): Promise<void> {
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
        { url, status: check.status, body },
        { within: Math.min(5_000, check.within), signal: now },
      );
      good = fault === undefined ? good + 1 : 0;
      return good >= check.times
        ? yes(undefined)
        : notYet(fault === undefined ? `${good} of ${check.times} good answers` : trip.redact(fault));
    },
    onSaw: (saw) => emit({ type: "waiting", node: trip.node.name, step: "check", saw }),
  });
}

/** What {NAME} may stand for. An IPv6 address needs its brackets in a URL (RFC 3986 §3.2.2). */
const valuesOf = ({ node, variables }: Trip): Record<string, string> => ({
  ...variables,
  host: node.host.includes(":") ? `[${node.host}]` : node.host,
  node: node.name,
  server: node.server,
});

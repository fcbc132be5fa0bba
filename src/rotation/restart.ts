/** The restart of a node's app, and what proves it. How each kind of app is restarted is in the room `restart`. */
import { RotaError } from "../base/errors.ts";
import { poll, type Seen } from "../base/poll.ts";
import type { StepName } from "../events/events.ts";
import { fill } from "../inventory/placeholders.ts";
import { runOnNode, valuesOf } from "./host.ts";
import type { RestartProof, RestartWay, Script } from "./restart-way.ts";
import type { Way } from "./ways.ts";
import { type Trip, type World, nameOf } from "./world.ts";

const restartOf = (trip: Trip, { restarts }: World): RestartWay => restarts(trip.pool, valuesOf(trip));

/** What runs now, while it still serves. @throws RotaError REFUSED where it can't be restarted in this way */
export async function lookBefore(trip: Trip, world: World): Promise<void> {
  const { proof } = restartOf(trip, world);
  if (proof === undefined) return;
  trip.ranBefore = await lookAt(proof, trip, world);
  const why = proof.unfit(trip.ranBefore, trip.standing === "serving");
  if (why !== undefined)
    throw new RotaError("REFUSED", { problem: `${nameOf(trip)} can't be restarted: ${why}` });
}

/** A restart that exits 0 may have done nothing: what runs afterwards is looked at. */
export async function restart(trip: Trip, world: World, way: Way): Promise<void> {
  const { act, proof } = restartOf(trip, world);
  await way.outOfReach(trip, world);
  if (act === undefined) return;
  await way.whileOutOfReach(trip, world, () =>
    withEvidence(trip, world, "restart", async () => {
      await runAct(trip, "restart", world, oldRelease(trip));
      if (proof) await untilProven(proof, trip, world);
    }),
  );
}

/** @param variables besides the act's own */
export async function runAct(
  trip: Trip,
  name: StepName,
  world: World,
  variables: Record<string, string> = {},
): Promise<void> {
  const { act, reader } = restartOf(trip, world);
  if (act === undefined) return;
  const reading = reader?.();
  const script = { ...act, variables: { ...act.variables, ...variables } };
  await runOnNode(trip, name, script, world, reading).finally(() => (trip.left = reading?.left()));
}

/** What puts workers back by itself where they can't run the new release; with `rollback` there is more to do. */
function oldRelease({ pool, release, cameFrom }: Trip): Record<string, string> {
  if (pool.rollback || !release || cameFrom === undefined) return {};
  return { ROTA_LINK: `${release.to}/current`, ROTA_OLD: cameFrom };
}

async function untilProven(proof: RestartProof, trip: Trip, world: World): Promise<void> {
  const { clock, now, emit } = world;
  const node = nameOf(trip);
  await poll({
    what: `${proof.what} on ${node}`,
    every: 50,
    within: trip.pool.check.within,
    clock,
    signal: now,
    probe: async (): Promise<Seen<undefined>> =>
      proof.judge(trip.ranBefore, await lookAt(proof, trip, world)),
    onSaw: (saw) => emit({ type: "waiting", node, step: "restart", saw }),
  }).catch((thrown: unknown) => {
    if (!(thrown instanceof RotaError && thrown.code === "WAIT_LIMIT")) throw thrown;
    throw new RotaError("RESTART_UNPROVEN", { problem: thrown.message, cause: thrown });
  });
}

/** The app's main process; undefined where its restart's proof does not tell it. */
export async function pidThatRuns(trip: Trip, world: World): Promise<string | undefined> {
  const { proof } = restartOf(trip, world);
  if (!proof?.pid) return undefined;
  const now = await lookAt(proof, trip, world);
  return now === undefined ? undefined : proof.pid(now);
}

/** One line about what runs; undefined for nothing. */
async function lookAt(proof: RestartProof, trip: Trip, world: World): Promise<string | undefined> {
  const { hosts, health, now } = world;
  if ("field" in proof.look) {
    const url = fill(trip.pool.check.url, valuesOf(trip));
    return health.fieldOf(url, proof.look.field, { within: 5_000, signal: now });
  }
  let seen: string | undefined;
  const { run, variables = {} } = proof.look;
  const outcome = await hosts.run(trip.node, run, {
    variables,
    within: trip.pool.limits.command,
    signal: now,
    onOutput: ({ text }) => (seen = text),
  });
  if (outcome.kind === "done") return seen;
  throw new RotaError(now.aborted ? "INTERRUPTED" : "RESTART_UNPROVEN", {
    problem: `${nameOf(trip)} could not be asked for ${proof.what}: ${outcome.why}${seen === undefined ? "" : ` (${seen})`}`,
  });
}

/** Milliseconds; a failure is told with or without it. */
const evidenceWithin = 10_000;

/** Where it fails, what the node itself knows about that is shown with it. */
export async function withEvidence(
  trip: Trip,
  world: World,
  step: StepName,
  act: () => Promise<void>,
): Promise<void> {
  try {
    await act();
  } catch (thrown) {
    const { evidence } = restartOf(trip, world);
    const plain = thrown instanceof RotaError && thrown.code !== "INTERRUPTED" && !world.now.aborted;
    if (evidence && plain) await gather(trip, world, step, evidence);
    throw thrown;
  }
}

async function gather(
  trip: Trip,
  { hosts, now, emit }: World,
  step: StepName,
  script: Script,
): Promise<void> {
  const lines: string[] = [];
  await hosts
    .run(trip.node, script.run, {
      variables: script.variables ?? {},
      within: evidenceWithin,
      signal: now,
      onOutput: ({ text, stream }) => {
        if (lines.length >= mostEvidence) return;
        lines.push(trip.redact(text));
        emit({ type: "output", node: nameOf(trip), step, stream, text: trip.redact(text) });
      },
    })
    .catch((thrown: unknown) => {
      if (!(thrown instanceof RotaError)) throw thrown; // the failure itself says what there is to say
    });
  trip.lastLines = [...trip.lastLines, ...lines];
}

const mostEvidence = 60;

/** Commands beside the rotations of a deploy or a rollback, here or on the node. What they do changes no promise. */
import { RotaError, messageOf } from "../base/errors.ts";
import type { HookName, Outcome } from "../events/events.ts";
import type { Hook, Pool } from "../inventory/fleet.ts";
import { linesKept, linesShown } from "./host.ts";
import { type Trip, type World, nameOf } from "./world.ts";

/** What the command is told, besides what every command is. */
interface About {
  /** Its limit. */
  within: number;
  /** Names of the nodes that it is about. */
  nodes: string[];
  pool?: Pool;
  trip?: Trip;
  /** Only afterwards. */
  outcome?: HookOutcome;
}

export type HookOutcome = "done" | "failed" | "interrupted";

/** @throws RotaError HOOK_FAILED; INTERRUPTED where it was stopped */
export async function runHook(
  name: HookName,
  hook: Hook | undefined,
  about: About,
  world: World,
): Promise<void> {
  if (!hook || !world.hooks) return;
  const { emit, clock, journal } = world;
  const at = about.trip ? { node: nameOf(about.trip) } : {};
  const { redact } = world.hooks;
  const printed: string[] = [];
  emit({ type: "hook started", hook: name, ...at });
  const started = clock.now();
  const outcome = await run(hook, about, world, (stream, line) => {
    const text = redact(line);
    printed.push(text);
    if (printed.length > linesKept) printed.shift();
    emit({ type: "hook output", hook: name, ...at, stream, text });
  });
  const ms = Math.round(clock.now() - started);
  const ok = outcome.kind === "done";
  emit({ type: "hook ended", hook: name, ...at, ok, ms, ...("why" in outcome ? { why: outcome.why } : {}) });
  if (printed.length > 0)
    await journal.printed(world.run, at.node ?? "", name, printed.join("\n")).catch((thrown: unknown) => {
      emit({ type: "notice", text: `what ${name} printed is not kept: ${messageOf(thrown)}` });
    });
  if (outcome.kind === "done") return;
  const end = printed.slice(-linesShown).map((line) => `\n    ${line}`);
  const shown = end.length > 0 ? `\n  the end of its output:${end.join("")}` : "";
  const stopped = world.now.aborted && about.outcome === undefined;
  throw new RotaError(stopped ? "INTERRUPTED" : "HOOK_FAILED", {
    problem: `hooks.${name}: ${outcome.why}${shown}`,
  });
}

/** Milliseconds for what comes after a run that was stopped twice. */
const lastMoment = 10_000;

async function run(
  hook: Hook,
  { within, nodes, pool, trip, outcome }: About,
  world: World,
  onLine: (stream: "stdout" | "stderr", text: string) => void,
): Promise<Outcome> {
  const { now, here, hosts, hooks } = world;
  // Whoever waits to be told that all is over is told also where a person could not wait.
  const isLast = now.aborted && outcome !== undefined;
  const options = {
    variables: {
      ...(trip?.variables ?? hooks?.set),
      ROTA_RUN: world.run,
      ROTA_FLEET: world.fleet,
      ROTA_COMMAND: world.command,
      ROTA_NODES: nodes.join(" "),
      ...(pool ? { ROTA_POOL: pool.name } : {}),
      ...(outcome ? { ROTA_OUTCOME: outcome } : {}),
    },
    within: isLast ? Math.min(within, lastMoment) : within,
    signal: isLast ? new AbortController().signal : now,
    onOutput: ({ stream, text }: { stream: "stdout" | "stderr"; text: string }) => onLine(stream, text),
  };
  try {
    if ("here" in hook) return await here.run(hook.here, options);
    if (trip) return await hosts.run(trip.node, hook.run, options);
    return { kind: "failed", why: "there is no node to run it on" };
  } catch (thrown) {
    if (!(thrown instanceof RotaError)) throw thrown;
    return { kind: "failed", why: thrown.message };
  }
}

/** Where a failure is to stop nothing: it is told. */
export async function tellHook(hooked: Promise<void>, { emit }: World): Promise<void> {
  await hooked.catch((thrown: unknown) => {
    if (!(thrown instanceof RotaError)) throw thrown;
    emit({ type: "notice", text: `${thrown.message}; it goes on` });
  });
}

/** @returns what stops the run; in a rollback, which must not wait for that to be mended, it is only told */
export async function hookOf(hooked: Promise<void>, world: World): Promise<unknown> {
  if (world.command !== "rollback")
    return hooked.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  await tellHook(hooked, world);
  return undefined;
}

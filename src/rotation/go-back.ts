/**
 * Workers that can't run a new release: the node goes back to its old one, alone, where the inventory has a way. Without
 * one it is left as it is, which is said.
 */
import { RotaError } from "../base/errors.ts";
import { runOnNode } from "./host.ts";
import { folderOf, releaseAt } from "./release/release.ts";
import { switchTo } from "./release/switch.ts";
import { runAct } from "./restart.ts";
import type { Way } from "./ways.ts";
import { type Trip, type World, nameOf, step } from "./world.ts";

/** What failed stays failed, however well the way back went. */
export async function orGoBack(trip: Trip, world: World, way: Way, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    if (thrown instanceof RotaError && thrown.code === "COMMAND_FAILED" && !world.now.aborted) {
      await goBack(trip, world, way);
    }
    throw thrown;
  }
}

async function goBack(trip: Trip, world: World, way: Way): Promise<void> {
  const { left, lastLines } = trip;
  const undo = left === undefined || left === "new" ? undefined : wayBackFor(trip, world, way);
  if (undo === undefined) return sayMixed(trip, world);
  try {
    await step(trip, "undo", world, async () => {
      await way.outOfReach(trip, world);
      await way.whileOutOfReach(trip, world, undo);
    });
    trip.wentBack = true;
    notice(trip, world, "runs its old release again, and nothing else");
  } catch (thrown) {
    if (!(thrown instanceof RotaError)) throw thrown;
    notice(trip, world, `could not be put back to its old release: ${thrown.message}`);
  } finally {
    trip.lastLines = lastLines; // why it failed in the first place
  }
}

/** Undefined where there is none. */
function wayBackFor(trip: Trip, world: World, way: Way): (() => Promise<void>) | undefined {
  const { pool, left, release, cameFrom } = trip;
  if (pool.rollback) return byRollback(trip, world, way);
  if (!release || cameFrom === undefined) return undefined;
  // The roll has the link put back, and every worker.
  if (left === "old") return async () => undefined;
  // No worker was replaced: with the link all is as it was.
  if (left === "as found") return async () => void (await switchTo(trip, release, cameFrom, world));
  return undefined;
}

function byRollback(trip: Trip, world: World, way: Way): (() => Promise<void>) | undefined {
  const { wayBack, release, cameFrom, left } = trip;
  if (!wayBack || (release && cameFrom === undefined)) return undefined;
  const old = release && cameFrom !== undefined ? releaseAt(release.to, cameFrom, release.keep) : undefined;
  const variables = { ...wayBack.variables, ...(old ? { ROTA_RELEASE_DIR: folderOf(old) } : {}) };
  const back: Trip = { ...trip, variables, release: old };
  return async () => {
    if (old) await switchTo(back, old, old.link, world);
    await runOnNode(back, "undo", { run: wayBack.run }, world);
    if (left === "as found") return;
    await runAct(back, "undo", world);
    await way.untilHealthy(back, world);
  };
}

/** Nothing is said where nothing is known of its workers: then they are not replaced one by one. */
function sayMixed(trip: Trip, world: World): void {
  const { left, release, pool, upgrade } = trip;
  if (left !== "mixed") return;
  const why =
    !release && upgrade === undefined
      ? ""
      : pool.rollback
        ? ": what it ran before is not known"
        : release
          ? ": its old release is not known, or could not be put back"
          : ": the pool has neither release nor rollback, which say how";
  notice(trip, world, `is left as it is, as told above${why}`);
}

const notice = (trip: Trip, { emit }: World, text: string): void =>
  emit({ type: "notice", node: nameOf(trip), text: `${nameOf(trip)} ${text}` });

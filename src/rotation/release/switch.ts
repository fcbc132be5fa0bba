/** The link `current` of a node: switched while the node is out, and never in doubt afterwards. */
import { RotaError } from "../../base/errors.ts";
import { pidThatRuns } from "../restart.ts";
import { type Trip, type World, nameOf } from "../world.ts";
import { type Standing, ask, comesFrom, failed, isCut, mustAnswer, standingIn, tries } from "./on-node.ts";
import { type NodeRelease, folderOf } from "./release.ts";
import { isThere, look, point, prune, whereRuns } from "./scripts.ts";

/** To what the trip brought. */
export async function switchToRelease(trip: Trip, release: NodeRelease, world: World): Promise<void> {
  const before = await switchTo(trip, release, release.link, world);
  trip.cameFrom = comesFrom(before, release);
}

/**
 * Lets `current` be this link, atomically. The journal has what it was before the act. May be done again; a switch whose
 * end nobody knows is settled by asking the node.
 *
 * @param link as in `Switch`: "releases/41-0d5f2a9c1b77", or whatever else was found there
 * @returns how it stood before
 * @throws RotaError REFUSED where what it would lead to is gone: the link is as it was
 */
export async function switchTo(
  trip: Trip,
  at: Pick<NodeRelease, "to" | "name" | "keep">,
  link: string,
  world: World,
): Promise<Standing> {
  const what = `switching ${at.to}/current`;
  const before = standingIn(await mustAnswer(trip, look, at, world, { what: `looking at ${at.to}/current` }));
  if (before.link !== link) {
    await world.journal.switched(world.run, nameOf(trip), { to: at.to, before: before.link, after: link });
  }
  for (let round = 1; ; round += 1) {
    const answer = await ask(trip, point, at, world, { ROTA_LINK: link });
    if (answer.outcome.kind === "done") return before;
    if (answer.said.has("gone")) throw gone(trip, at.to, link);
    if (!isCut(answer.outcome) || world.now.aborted || round >= tries) {
      throw failed(trip, what, answer, world);
    }
    const text = `${nameOf(trip)}: ${answer.outcome.why}; the node is asked where current leads to`;
    world.emit({ type: "notice", node: nameOf(trip), text });
    const seen = standingIn(await mustAnswer(trip, look, at, world, { what }));
    if (seen.link === link) return before;
  }
}

const gone = (trip: Trip, to: string, link: string): RotaError =>
  new RotaError("COMMAND_FAILED", {
    problem: `${link} is not on ${nameOf(trip)} any more (in ${to}); current is as it was`,
    next: `rota deploy, which brings it again`,
  });

/** Whether the node still has what a link would lead to. */
export async function hasRelease(
  trip: Trip,
  at: Pick<NodeRelease, "to" | "name" | "keep">,
  link: string,
  world: World,
): Promise<boolean> {
  const what = `looking for ${link}`;
  const answer = await mustAnswer(trip, isThere, at, world, { what, more: { ROTA_LINK: link } });
  return answer.said.has("there");
}

/** Removes what is older than the releases to be kept. That it can't is said, and fails nothing: the node serves. */
export async function pruneReleases(trip: Trip, world: World): Promise<void> {
  const { release } = trip;
  if (!release || world.now.aborted) return;
  const say = (text: string): void => world.emit({ type: "notice", node: nameOf(trip), text });
  try {
    const { all } = await mustAnswer(trip, prune, release, world, { what: "removing old releases" });
    const removed = all.filter(({ word }) => word === "removed").map(({ value }) => value);
    if (removed.length > 0) say(`${nameOf(trip)}: removed ${removed.join(", ")}, keeping ${release.keep}`);
  } catch (thrown) {
    if (!(thrown instanceof RotaError) || thrown.code === "LEASE_LOST") throw thrown;
    say(`old releases on ${nameOf(trip)} are still there: ${thrown.message}`);
    trip.lastLines = [];
  }
}

/** Where the restart's proof tells the process: what runs must not lie in an older release. */
export async function mustRunRelease(trip: Trip, world: World): Promise<void> {
  if (!trip.release) return;
  const pid = await pidThatRuns(trip, world);
  if (pid !== undefined) await mustRunFrom(trip, trip.release, pid, world);
}

/**
 * A process that was started anew and still works in the folder of another release runs old code, however well it
 * answers. Says nothing where that can't be seen.
 *
 * @throws RotaError RELEASE_OLD
 */
export async function mustRunFrom(
  trip: Trip,
  release: NodeRelease,
  pid: string,
  world: World,
): Promise<void> {
  if (!/^\d+$/.test(pid)) return;
  const what = `looking where process ${pid} runs`;
  const { said } = await mustAnswer(trip, whereRuns, release, world, { what, more: { ROTA_PID: pid } });
  const runs = said.get("runs");
  if (runs === undefined || runs.replace(/ \(deleted\)$/, "") === release.name) return;
  throw new RotaError("RELEASE_OLD", {
    problem: `${nameOf(trip)} was restarted, and process ${pid} works in ${release.to}/releases/${runs}, not in ${folderOf(release)}`,
    next:
      `look at how the app is started: systemd's WorkingDirectory=${release.to}/current is followed once, when the unit ` +
      `starts, and a reload stays there; uwsgi's chdir with a relative module does too (docs/releases.md)`,
  });
}

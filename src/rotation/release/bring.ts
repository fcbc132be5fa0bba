/** A release onto a node that serves: uploaded, verified, unpacked beside the ones before, prepared. */
import type PQueue from "p-queue";
import { RotaError } from "../../base/errors.ts";
import { runOnNode } from "../host.ts";
import type { UploadEnd } from "../ports.ts";
import { type Trip, type World, nameOf } from "../world.ts";
import { mustAnswer, standingIn, tries } from "./on-node.ts";
import { type LocalFile, type NodeRelease, sayBytes, uploadName } from "./release.ts";
import { look, unpack } from "./scripts.ts";
import { hasRelease } from "./switch.ts";

/** What `bring` and the pool's own `prepare` come to, in the step of that name. */
export async function prepareNode(trip: Trip, world: World, uploads: PQueue): Promise<void> {
  const { release, prepare: script } = trip;
  if (release && !release.file) return mustBeThere(trip, release, world);
  const runs = release?.file ? await bring(trip, release, release.file, world, uploads) : false;
  if (script === undefined) return;
  // The app has its files open, and whatever `prepare` would rebuild is in use.
  if (release && runs) {
    const text = `${nameOf(trip)}: current is ${release.name} already; prepare is not run under the app`;
    return world.emit({ type: "notice", node: nameOf(trip), text });
  }
  await runOnNode(trip, "prepare", { run: release ? inFolder(script) : script }, world);
}

/** What a node goes back to was brought and prepared before. */
async function mustBeThere(trip: Trip, release: NodeRelease, world: World): Promise<void> {
  if (await reached(hasRelease(trip, release, release.link, world))) return;
  throw new RotaError("REFUSED", {
    problem: `${release.link} is not on ${nameOf(trip)} any more (in ${release.to}), so it can't go back to it`,
    next: "rota deploy of that release, which brings it again",
  });
}

/** On a line of its own, so that a comment or a here-document of the script stays its own. */
const inFolder = (script: string): string => `cd "$ROTA_RELEASE_DIR"\n${script}`;

/** @returns whether `current` leads to it already */
async function bring(
  trip: Trip,
  release: NodeRelease,
  file: LocalFile,
  world: World,
  uploads: PQueue,
): Promise<boolean> {
  const say = (saw: string): void =>
    world.emit({ type: "waiting", node: nameOf(trip), step: "prepare", saw });
  const what = `looking for the release ${release.name}`;
  const standing = standingIn(await reached(mustAnswer(trip, look, release, world, { what })));
  if (standing.isFolder) throw noLink(trip, release);
  if (standing.there) {
    say(`${release.name} is there already`);
    return standing.runs;
  }
  if (uploads.size > 0 || uploads.pending >= uploads.concurrency) say("waiting for its turn to upload");
  const path = await uploads.add(() => reached(uploaded(trip, file, world, say)));
  say(`unpacking ${release.name}`);
  await reached(
    mustAnswer(trip, unpack, release, world, {
      what: `unpacking the release ${release.name}`,
      more: { ROTA_UPLOAD: path },
    }),
  );
  return false;
}

const noLink = (trip: Trip, { to }: NodeRelease): RotaError =>
  new RotaError("COMMAND_FAILED", {
    problem: `${to}/current on ${nameOf(trip)} is no link, and can't be switched`,
    next: `on ${nameOf(trip)}, once, by hand: move it to ${to}/releases/first, and ln -s releases/first ${to}/current`,
  });

/** That it answers no more, in the middle of the work, is no reason to call the run untouched. */
const reached = <T>(work: Promise<T>): Promise<T> =>
  work.catch((thrown: unknown) => {
    if (!(thrown instanceof RotaError && thrown.code === "HOST_UNREACHABLE")) throw thrown;
    const { message: problem, next } = thrown;
    throw new RotaError("UPLOAD_FAILED", { problem, ...(next ? { next } : {}), cause: thrown });
  });

/** @returns where it lies on the node */
async function uploaded(
  trip: Trip,
  file: LocalFile,
  world: World,
  say: (saw: string) => void,
): Promise<string> {
  const { hosts, fleet, now, clock } = world;
  const onProgress = progressOf(file, say, () => clock.now());
  for (let round = 1; ; round += 1) {
    if (now.aborted) throw new RotaError("INTERRUPTED", { problem: "stopped before the upload" });
    const options = {
      name: uploadName(fleet, trip.node, file),
      within: trip.pool.limits.command,
      signal: now,
    };
    const end: UploadEnd = await hosts.upload(trip.node, file, { ...options, onProgress });
    if (end.kind === "done") return end.path;
    if (end.kind === "failed" || now.aborted || round >= tries) {
      const code = now.aborted ? "INTERRUPTED" : "UPLOAD_FAILED";
      throw new RotaError(code, { problem: `uploading to ${nameOf(trip)}: ${end.why}` });
    }
    notice(trip, `${nameOf(trip)}: ${end.why} during the upload; it goes on from there`, world);
  }
}

/** Milliseconds between two words about it, and percents: a fast one says little, a slow one is seen to move. */
const often = 1_000;
const part = 5;

function progressOf({ size }: LocalFile, say: (saw: string) => void, time: () => number) {
  let [toldAt, toldPart] = [-Infinity, -part];
  return (bytes: number): void => {
    const percent = Math.floor((100 * bytes) / Math.max(1, size));
    if (percent < toldPart + part && time() < toldAt + often * 10) return;
    if (percent < 100 && time() < toldAt + often) return;
    [toldAt, toldPart] = [time(), percent];
    say(`uploaded ${sayBytes(bytes)} of ${sayBytes(size)} (${percent}%)`);
  };
}

const notice = (trip: Trip, text: string, { emit }: World): void =>
  emit({ type: "notice", node: nameOf(trip), text });

/** The file of a release, looked at before anything else is: all of it must be there, and be what can be unpacked. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { messageOf, RotaError } from "../base/errors.ts";
import { printable } from "../base/quote.ts";
import type { LocalFile } from "../rotation/release/release.ts";
import { untouched } from "./refuse.ts";

/**
 * Reads it in pieces, however large it is.
 *
 * @throws RotaError USAGE for one that can't be read, is no tar file, or would write outside of its folder
 */
export async function readReleaseFile(path: string): Promise<LocalFile> {
  const [summed, listed] = await Promise.allSettled([sumOf(path), mustBeTar(path)]);
  if (summed.status === "rejected") throw unusable(path, `can't be read: ${messageOf(summed.reason)}`);
  if (listed.status === "rejected") throw unusable(path, messageOf(listed.reason));
  return { path, ...summed.value };
}

const unusable = (path: string, why: string): RotaError =>
  new RotaError("USAGE", {
    problem: `the release ${printable(path)} ${printable(why)}`,
    left: untouched,
    next: "build it again, or mend release.upload in the inventory",
  });

async function sumOf(path: string): Promise<Omit<LocalFile, "path">> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    if (!Buffer.isBuffer(chunk)) continue;
    hash.update(chunk);
    size += chunk.length;
  }
  return { size, sha256: hash.digest("hex") };
}

/** What tar says of a file goes into a message. */
const longestSaid = 500;

/** The same program unpacks it on the nodes. @throws Error that says what is wrong, as the end of a sentence */
async function mustBeTar(path: string): Promise<void> {
  const tar = spawn("tar", ["-t", "-f", path], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, LC_ALL: "C" },
  });
  let said = "";
  let count = 0;
  let outside: string | undefined;
  tar.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(0, longestSaid)));
  createInterface({ input: tar.stdout }).on("line", (name) => {
    count += 1;
    if (isOutside(name)) outside ??= name;
  });
  const [code]: (number | null)[] = await once(tar, "close").catch((thrown: unknown) => {
    throw new Error(`can't be looked into: tar does not run here (${messageOf(thrown)})`);
  });
  if (outside !== undefined) throw new Error(`holds "${outside}", which lies outside of its folder`);
  if (code !== 0) throw new Error(`is no whole tar file: ${said.trim().split("\n")[0] ?? ""}`);
  if (count === 0) throw new Error("is a tar file that holds nothing");
}

/** tar itself leaves out a `/` in front, and refuses what goes up; a release that needs that is not well built. */
const isOutside = (name: string): boolean => name.startsWith("/") || name.split("/").includes("..");

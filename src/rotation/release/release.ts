/** Which release a node is to get, and where it lies there. Pure. */
import { createHash } from "node:crypto";
import { basename, posix } from "node:path";
import type { Node } from "../../inventory/fleet.ts";

/** A file of this machine that was read to its end. */
export interface LocalFile {
  path: string;
  /** Bytes. */
  size: number;
  /** Of its content, in hexadecimal digits. */
  sha256: string;
}

/** What one node is to run. */
export interface NodeRelease {
  /** Absent for one that the node has had before, and goes back to. */
  file?: LocalFile | undefined;
  /** What `current` is to say. */
  link: string;
  /** Of its folder in `to`/releases: the same for the same content under the same name, and for nothing else. */
  name: string;
  /** The folder of the app on the node, absolute. */
  to: string;
  keep: number;
}

/** Of the digits of the checksum that are part of a name. */
const digits = 12;

/** Only folders of such names are ever removed: what else lies beside them is somebody's. */
export const namePattern = "^[A-Za-z0-9][A-Za-z0-9._+-]*-[0-9a-f]{12}$"; // for grep -E

/**
 * "42-3f2a9c1b77de": what people call it, and what it holds.
 *
 * @param called RELEASE as it was given, if it was; else the file's own name is taken
 */
export function releaseName(called: string | undefined, { path, sha256 }: LocalFile): string {
  const words = called?.trim() ? called : basename(path).replace(/(\.tar)?(\.\w+)?$/, "");
  const safe = words.replaceAll(/[^A-Za-z0-9._+-]+/g, "_").replace(/^[^A-Za-z0-9]+/, "");
  return `${safe.slice(0, 80) || "release"}-${sha256.slice(0, digits)}`;
}

/** What `current` says of a release: relative, so that the whole folder can be moved. */
export const linkTo = (name: string): string => `releases/${name}`;

/** Where it lies on the node. */
export const folderOf = ({ to, link }: Pick<NodeRelease, "to" | "link">): string => posix.resolve(to, link);

/** Of the upload; whose it is comes first: two nodes may be one host, and one host serve two fleets. */
export function uploadName(fleet: string, { name }: Node, { sha256 }: LocalFile): string {
  const whose = createHash("sha256").update(`${fleet}\n${name}`).digest("hex").slice(0, 16);
  return `${whose}-${sha256}.part`;
}

const units = ["bytes", "kB", "MB", "GB", "TB"];

/** "20 MB": as people say it, in powers of 1000. */
export function sayBytes(bytes: number): string {
  let amount = bytes;
  let unit = 0;
  while (amount >= 999.5 && unit < units.length - 1) {
    amount /= 1_000;
    unit += 1;
  }
  const shown = unit > 0 && amount < 9.95 ? amount.toFixed(1).replace(/\.0$/, "") : Math.round(amount);
  return `${shown} ${units[unit]}`;
}

/**
 * What a node had before.
 *
 * @param link as the journal has it: "releases/41-0d5f2a9c1b77", or whatever else was found there
 */
export const releaseAt = (to: string, link: string, keep: number): NodeRelease => ({
  to,
  link,
  name: posix.basename(link),
  keep,
});

/** "42-3f2a9c1b77de (build-42.tar.gz, 20 MB)" */
export const sayRelease = ({ name, file }: NodeRelease): string =>
  file ? `${name} (${basename(file.path)}, ${sayBytes(file.size)})` : name;

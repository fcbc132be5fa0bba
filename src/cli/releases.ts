/** What a deploy brings to each node: which file, and where to. All of it is known, and read, before anything is touched. */
import { posix } from "node:path";
import { RotaError } from "../base/errors.ts";
import { redactor } from "../base/redact.ts";
import { folderFault } from "../inventory/check-release.ts";
import type { Node, Pool } from "../inventory/fleet.ts";
import { fill, ownPlaceholders, placeholdersIn } from "../inventory/placeholders.ts";
import { valuesOf } from "../rotation/host.ts";
import { type LocalFile, type NodeRelease, linkTo, releaseName } from "../rotation/release/release.ts";
import type { Io } from "./io.ts";
import { readReleaseFile } from "./release-file.ts";
import { untouched } from "./refuse.ts";
import type { Site } from "./site.ts";
import { type Variables, variablesOf } from "./variables.ts";

export type Releases = ReadonlyMap<string, NodeRelease>;

/**
 * By the names of the nodes; without those whose file is not known with what was given.
 *
 * @param skipped nodes that are left out
 * @throws RotaError USAGE
 */
export async function releasesOf(
  { fleet, nodes }: Site,
  set: Record<string, string>,
  skipped: (node: Node) => boolean,
  io: Io,
): Promise<Releases> {
  const files = new Map<string, Promise<LocalFile>>();
  const known = new Map<string, NodeRelease>();
  const owners = new Map<string, Node>();
  for (const pool of fleet.pools) {
    const { release } = pool;
    if (!release) continue;
    for (const node of pool.nodes.filter((one) => nodes.includes(one) && !skipped(one))) {
      const values = variablesIfKnown(node, set, fleet.name, io.env);
      const { path, to } = values ? filled(pool, node, values) : { path: undefined, to: "" };
      if (!values || path === undefined) continue;
      mustBeItsOwn(node, to, owners);
      const file = await (files.get(path) ?? remembered(files, path, readReleaseFile(path)));
      const name = releaseName(values.variables["RELEASE"], file);
      known.set(node.name, { file, name, link: linkTo(name), to, keep: release.keep });
    }
  }
  return known;
}

/** A link that two nodes share would be switched under the one that serves. */
function mustBeItsOwn(node: Node, to: string, owners: Map<string, Node>): void {
  const { host, ssh } = node;
  const place = JSON.stringify([host, ssh.port, to]);
  const owner = owners.get(place);
  owners.set(place, node);
  if (owner) throw unfit(node, `is ${to}, as of ${owner.name} on the same host: write {node} into it`);
}

/** What is missing, a deploy tells later; a plan can do without. */
function variablesIfKnown(...given: Parameters<typeof variablesOf>): Variables | undefined {
  try {
    return variablesOf(...given);
  } catch (thrown) {
    if (thrown instanceof RotaError) return undefined;
    throw thrown;
  }
}

const remembered = <T>(all: Map<string, T>, key: string, value: T): T => {
  all.set(key, value);
  return value;
};

/** No path where it is named by a value that is not given: a plan does not need it. */
function filled(
  { release }: Pool,
  node: Node,
  { variables, secrets }: Variables,
): { path: string | undefined; to: string } {
  const { upload = "", to: folder = "" } = release ?? {};
  const values = valuesOf({ node, variables });
  const known = new Set([...Object.keys(variables), ...ownPlaceholders]);
  if (placeholdersIn(upload + folder).some((name) => !known.has(name))) return { path: undefined, to: "" };
  const [path, to] = [fill(upload, values), fill(folder, values)];
  const redact = redactor(secrets);
  if (redact(path) !== path || redact(to) !== to)
    throw unfit(node, "holds a secret: the names of files and folders are shown");
  const fault = folderFault(to) ?? (/[\0\n]/.test(path + to) ? "holds a line break" : undefined);
  if (fault !== undefined) throw unfit(node, `${fault}, and is ${JSON.stringify(to)}`);
  return { path, to: posix.normalize(to).replace(/\/$/, "") };
}

const unfit = ({ name }: Node, why: string): RotaError =>
  new RotaError("USAGE", { problem: `release.to or release.upload of ${name} ${why}`, left: untouched });

/** A resume goes on with what was begun. @throws RotaError USAGE where the file is another one now */
export function mustBeSame(now: string[], then: string[] | undefined): void {
  if (!then || now.every((name) => then.includes(name))) return;
  throw new RotaError("USAGE", {
    problem: `the run began with ${then.join(", ")}, and the file holds ${now.join(", ")} now`,
    left: untouched,
    next: "bring the file of that release back, then the same again; or rota abort, and rota deploy the new one",
  });
}

export const namesIn = (releases: Releases): string[] => [
  ...new Set([...releases.values()].map(({ name }) => name)),
];

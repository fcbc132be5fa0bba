import { posix } from "node:path";
import type { Draft } from "./draft.ts";
import type { Finding, Path } from "./problems.ts";

/** A release is switched under rota's own hand: where that lies must be one folder, whatever its name is filled with. */
export function checkRelease(draft: Draft, pool: Path): Finding[] {
  const path = [...pool, "release", "to"];
  const to = draft.at(path);
  if (typeof to !== "string" || to.trim() === "") return [];
  const fault = folderFault(to);
  return fault === undefined ? [] : [{ path, on: "value", text: fault }];
}

/** What is wrong with a folder of the node that rota is to work in. */
export function folderFault(to: string): string | undefined {
  if (!to.startsWith("/")) return "must be an absolute path, as /srv/app";
  if (to.split("/").includes("..")) return "must not go up (..)";
  return posix.normalize(to).replace(/\/$/, "") === "" ? "must be a folder of the app's own" : undefined;
}

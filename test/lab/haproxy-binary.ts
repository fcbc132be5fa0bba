import { execFileSync } from "node:child_process";

/** This machine's own HAProxy, or the one that $LAB_HAPROXY names; `scripts/haproxies` fetches newer ones. */
export const haproxyBinary = process.env["LAB_HAPROXY"] || "/usr/sbin/haproxy";

let version: string | undefined;

/** What the lab's HAProxy says it is: "2.6.12-1+deb12u3". Throws where it can't be started. */
export const haproxyVersion = (): string => (version ??= versionOf(haproxyBinary));

function versionOf(binary: string): string {
  const said = execFileSync(binary, ["-v"], { encoding: "utf8" });
  const found = /^HAProxy version (\S+)/.exec(said)?.[1];
  if (!found) throw new Error(`${binary} does not say which HAProxy it is: ${said.split("\n")[0]}`);
  return found;
}

/** Whether the lab's HAProxy is this one or a newer one, as in `test.skipIf(!haproxyIsAtLeast(3, 2))`. */
export function haproxyIsAtLeast(major: number, minor: number): boolean {
  const [itsMajor = 0, itsMinor = 0] = haproxyVersion().split(".").map(Number);
  return itsMajor > major || (itsMajor === major && itsMinor >= minor);
}

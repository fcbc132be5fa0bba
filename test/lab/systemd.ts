/** A systemd of a node's own: PID 1 of private namespaces, with the unit files that it is given. */
import { chmod, chown, copyFile, mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { existsSync, readdirSync } from "node:fs";
import { userInfo } from "node:os";
import { basename, join } from "node:path";
import { childrenOf, signal } from "./family.ts";
import type { Processes } from "./processes.ts";

export interface SystemdOptions {
  /** Of the node. */
  folder: string;
  /** Names and texts of units, all of them started. */
  units: Record<string, string>;
  /** What sudo(8) asks of the user `deploy`. */
  sudo: "nothing" | "password";
  processes: Processes;
}

export interface Systemd {
  /** Ends it at once, and everything in it. */
  stop(): void;
}

export async function startSystemd({ folder, units, sudo, processes }: SystemdOptions): Promise<Systemd> {
  await mkdir(join(folder, "units"));
  const wanted = ["systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket"];
  const target = `[Unit]\nDefaultDependencies=no\nWants=${[...wanted, ...Object.keys(units)].join(" ")}\n`;
  for (const [name, text] of Object.entries({ ...units, "lab.target": target }))
    await writeFile(join(folder, "units", name), text);
  const home = homeIn(folder);
  await mkdir(home);
  if (userInfo().uid === 0) await chown(home, 4711, 4711);
  await writeEtc(join(folder, "etc"), home, sudo);
  const boot = join(import.meta.dirname, "systemd/boot");
  const pid = await processes.start(boot, [folder, cgroupOf(folder)], join(folder, "systemd.log"));
  return {
    stop() {
      // SIGTERM would make it start itself anew (systemd(1), SIGNALS).
      for (const child of childrenOf(pid)) signal(child, "SIGKILL");
    },
  };
}

/** Of `deploy`, who owns nothing else of the node. */
export const homeIn = (folder: string): string => join(folder, "home");

/** Of `deploy`; as crypt(5) stores it. */
export const sudoPassword = "s3cret pass";
const hash =
  "$6$rotalab$Z.46byZaqksBwRmyo.wE5tnhPt3bq2fFhipFuS1pn6H/E72OdF0WfkaTgqrb0zipS2VUkBZaIR98/ucSsNr7S0";

/** A user, and what sudo(8) asks of it, that only processes under this systemd see. */
async function writeEtc(etc: string, home: string, sudo: SystemdOptions["sudo"]): Promise<void> {
  await mkdir(etc);
  for (const name of ["passwd", "shadow", "group"]) await copyFile(`/etc/${name}`, join(etc, name));
  const add = async (name: string, line: string): Promise<void> =>
    writeFile(join(etc, name), `${await readFile(join(etc, name), "utf8")}${line}\n`);
  await add("passwd", `deploy:x:4711:4711::${home}:/bin/sh`);
  await add("group", "deploy:x:4711:");
  await add("shadow", `deploy:${hash}:20000:0:99999:7:::`);
  const rule = sudo === "nothing" ? "NOPASSWD: ALL" : "ALL";
  await writeFile(join(etc, "sudoers"), `root ALL=(ALL) ALL\ndeploy ALL=(root) ${rule}\n`);
  await chmod(join(etc, "sudoers"), 0o440);
  await chmod(join(etc, "shadow"), 0o640);
}

/** Namespaces and cgroups are root's to make. */
export const needsRoot = userInfo().uid !== 0;

const root = existsSync("/sys/fs/cgroup/cgroup.procs") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";

/** "rota-lab-XXXXXX-web1" for /tmp/lab-XXXXXX/web1. */
const cgroupOf = (folder: string): string => `rota-${basename(join(folder, ".."))}-${basename(folder)}`;

/** What is left of the systemds of a lab, once they have ended. */
export async function removeCgroups(lab: string): Promise<void> {
  if (!existsSync(root)) return;
  for (const name of readdirSync(root).filter((one) => one.startsWith(`rota-${basename(lab)}-`)))
    await removeTree(join(root, name));
}

async function removeTree(path: string): Promise<void> {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) await removeTree(join(path, entry.name));
  await rmdir(path).catch(() => undefined); // somebody's last moment; it is empty, and does no harm
}

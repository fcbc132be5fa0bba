/**
 * Stays beside a lab. When the program that started the lab is gone, however it ended, this ends what it left:
 * its processes, what it mounted, its folder.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { text } from "node:stream/consumers";
import { endFamily } from "./family.ts";
import { removeCgroups } from "./systemd.ts";

const folder = process.argv[2] ?? "";

// A line for each change of what the lab runs. It ends when the program does, also if that was before this one read.
const lines = (await text(process.stdin)).split("\n");
const roots = (lines.at(-2) ?? "").split(" ").filter(Boolean).map(Number);

await endFamily(folder, () => roots);
for (const [, place = ""] of readFileSync("/proc/mounts", "utf8").matchAll(/^\S+ (\S+)/gm))
  if (place.startsWith(`${folder}/`)) execFileSync("umount", [place]);
await removeCgroups(folder);
rmSync(folder, { recursive: true, force: true });

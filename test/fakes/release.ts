import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Writes a tar file, gzipped, with these files in it and some bytes that don't shrink. */
export async function makeRelease(
  path: string,
  files: Record<string, string> = { app: "the app\n" },
  bytes = 0,
): Promise<string> {
  const folder = `${path}.files`;
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  if (bytes > 0) await writeFile(join(folder, "ballast"), randomBytes(bytes));
  execFileSync("tar", ["-czf", path, "-C", folder, "."]);
  await rm(folder, { recursive: true });
  return path;
}

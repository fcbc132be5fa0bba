import { homedir } from "node:os";
import { join } from "node:path";

/** A path with its leading `~/` replaced by the home folder of the person who runs rota. */
export const fromHome = (path: string): string =>
  path.startsWith("~/") ? join(homedir(), path.slice(2)) : path;

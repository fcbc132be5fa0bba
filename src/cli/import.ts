import type { ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
export async function importFrom(_args: object, _io: Io): Promise<ExitCode> {
  return 0;
}

import type { ErrorCode } from "../base/errors.ts";

/** What a script may rely on. */
export const Exit = {
  ok: 0,
  /** A node failed; the message says where each node is. */
  failed: 1,
  /** The command line or the inventory is wrong; nothing was touched. */
  usage: 2,
  /** Refused before anything was touched. */
  refused: 3,
  interrupted: 4,
  /** A defect of rota itself. */
  defect: 70,
} as const;
export type ExitCode = (typeof Exit)[keyof typeof Exit];

/** The exit code of an error that ended a command before anything was touched. */
export function exitOf(code: ErrorCode): ExitCode {
  if (code === "USAGE" || code === "INVENTORY") return Exit.usage;
  return code === "INTERRUPTED" ? Exit.interrupted : Exit.refused;
}

import type { Outcome } from "../rotation/ports.ts";

/**
 * How a remote command ended, from its exit status (RFC 4254 §6.10).
 *
 * @param code 0 to 255; null after a signal; undefined when the connection ended first.
 * @param signal The signal's name, as "SIGKILL".
 */
export function outcomeOf(code: number | null | undefined, signal?: string): Outcome {
  if (code === 0) return { kind: "done" };
  if (typeof code === "number") return { kind: "failed", why: `exit code ${code}` };
  if (signal) return { kind: "failed", why: `killed by ${signal}` };
  return { kind: "unknown", why: "the connection ended before the command answered" };
}

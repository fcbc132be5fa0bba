/** What a person is told when rota can't go on: what happened, how things were left, what to type next. */
export interface ErrorText {
  problem: string;
  /** How things were left. Absent only where nothing was or could have been touched. */
  left?: string;
  /** What to type next; a command that exists. */
  next?: string;
  cause?: unknown;
}

/** Stable for scripts; listed with their meaning in docs/errors.md, which a test compares with this list. */
export const errorCodes = [
  "USAGE",
  "INVENTORY",
  "JOURNAL",
  "JOURNAL_NEWER",
  "LEASE_HELD",
  "LEASE_LOST",
  "REFUSED",
  "CAPACITY",
  "BALANCER_UNREACHABLE",
  "BALANCER_ANSWER",
  "BALANCER_RIGHTS",
  "SERVER_MISSING",
  "HOST_UNREACHABLE",
  "HOST_LOGIN",
  "HOST_KEY",
  "SSH_CONFIG",
  "COMMAND_FAILED",
  "COMMAND_UNKNOWN",
  "HOOK_FAILED",
  "UPLOAD_FAILED",
  "RESTART_UNPROVEN",
  "RELEASE_OLD",
  "NODE_DOWN",
  "WAIT_LIMIT",
  "SOAK_WORSE",
  "SOAK_INCONCLUSIVE",
  "INTERRUPTED",
] as const;
export type ErrorCode = (typeof errorCodes)[number];

/** A failure that is not a defect of rota: it is shown as text, without a stack trace. */
export class RotaError extends Error {
  readonly code: ErrorCode;
  readonly left: string | undefined;
  readonly next: string | undefined;

  constructor(code: ErrorCode, text: ErrorText) {
    super(text.problem, { cause: text.cause });
    this.name = "RotaError";
    this.code = code;
    this.left = text.left;
    this.next = text.next;
  }
}

/** The message of anything that was thrown; never a stack trace. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && !thrown.message) return thrown.errors.map(messageOf).join("; ");
  return thrown instanceof Error ? thrown.message : String(thrown);
}

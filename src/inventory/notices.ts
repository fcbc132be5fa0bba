/** Whom the inventory wants to be told of runs. */

/** A run begins; a node fails, or what stops the run; it has ended. */
export const noticeKinds = ["start", "failure", "end"] as const;
export type NoticeKind = (typeof noticeKinds)[number];

export const noticeForms = ["rota", "slack"] as const;
export type NoticeForm = (typeof noticeForms)[number];

/** Where a secret is found: a variable of rota's own environment. */
interface FromEnvironment {
  env: string;
}

/** One entry of `notices`: it has `webhook` or `run`. */
export interface NoticeTarget {
  webhook?: string | FromEnvironment | undefined;
  form: NoticeForm;
  /** What signs the body. */
  secret?: FromEnvironment | undefined;
  /** A command for /bin/sh on this machine. */
  run?: string | undefined;
  on: NoticeKind[];
}

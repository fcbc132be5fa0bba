/** What `rota doctor` may find: the vocabulary of its judgements. Each code is in docs/doctor.md, which a test compares. */

/** In the order in which they are shown; balancers first. */
export const parts = ["balancers", "hosts", "pages", "journal"] as const;
export type Part = (typeof parts)[number];

/** `unseen`: not visible from here, and never guessed. */
export type Verdict = "ok" | "warn" | "bad" | "unseen";

export const findingCodes = [
  "balancer",
  "balancer-level",
  "balancer-version",
  "balancer-master",
  "balancer-old-workers",
  "balancer-failed-reload",
  "balancer-reload",
  "balancer-state-file",
  "balancer-config",
  "backend-checks",
  "backend-inter",
  "backend-agent",
  "backend-tracked",
  "backend-persistence",
  "backend-redispatch",
  "backend-algorithm",
  "backend-slowstart",
  "backend-queue",
  "server-missing",
  "drift",
  "host",
  "host-unreachable",
  "host-login",
  "host-key",
  "host-ssh-config",
  "host-script",
  "host-variables",
  "host-clock",
  "host-python3",
  "host-sudo",
  "host-sftp",
  "host-tools",
  "release-folder",
  "release-disk",
  "release-current",
  "unit",
  "unit-stale",
  "unit-link",
  "pidfile",
  "uwsgi-stats",
  "key-file",
  "key-mode",
  "key-age",
  "page",
  "page-slow",
  "page-out",
  "page-variables",
  "journal",
  "journal-mode",
  "journal-shared",
  "journal-clock",
  "journal-lease",
  "journal-unfinished",
  "journal-overdue",
] as const;
export type FindingCode = (typeof findingCodes)[number];

export interface Finding {
  part: Part;
  code: FindingCode;
  verdict: Verdict;
  /** What it is true of: "lb1", "lb1/app", "web3". The same text of several is shown once. */
  on: string;
  text: string;
  /** What to do about it. */
  next?: string;
}

export interface Say {
  ok(code: FindingCode, text: string): Finding;
  warn(code: FindingCode, text: string, next: string): Finding;
  bad(code: FindingCode, text: string, next: string): Finding;
  unseen(code: FindingCode, text: string, next: string): Finding;
}

/** Words about one thing. */
export const about = (part: Part, on: string): Say => {
  const as = (verdict: Verdict) => (code: FindingCode, text: string, next?: string) => ({
    part,
    code,
    verdict,
    on,
    text,
    ...(next === undefined ? {} : { next }),
  });
  return { ok: as("ok"), warn: as("warn"), bad: as("bad"), unseen: as("unseen") };
};

/** What the worker is told to send. */
export interface LoadPlan {
  /** Of the frontends; the requests go to each in turn. */
  urls: string[];
  perSecond: number;
  /** It stops by itself after this. */
  maxSeconds: number;
}

export interface Counts {
  sent: number;
  ok: number;
  /** Everything that was not a complete 200 with the right body. Nothing is ever sent again. */
  lost: number;
}

export interface LoadReport extends Counts {
  lostBy: Record<string, number>;
  /** The first few that were lost. */
  examples: Lost[];
  /** Milliseconds, of the good answers. */
  p50: number;
  p99: number;
  max: number;
  /** As it really was. */
  perSecond: number;
}

export interface Lost {
  /** Of the day, when it was sent. */
  at: string;
  url: string;
  /** What went wrong. */
  what: string;
}

/** What the worker says: where it stands, several times a second, and the report when it was told to stop. */
export type WorkerMessage = { soFar: Counts } | { report: LoadReport };

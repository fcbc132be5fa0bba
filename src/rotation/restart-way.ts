/** What the heart needs to know of how an app is restarted; the room `restart` has it. */
import type { Seen } from "../base/poll.ts";
import type { WorkerNews } from "../events/events.ts";
import type { Pool } from "../inventory/fleet.ts";

/** A script for a node's host, run as `/bin/sh -eu`, and the variables that it needs besides the node's own. */
export interface Script {
  run: string;
  variables?: Record<string, string>;
}

/** How one kind of app is restarted. */
export interface RestartWay {
  /** Absent: there is nothing to do. */
  act?: Script;
  /** Where it replaces workers one by one, and keeps serving: reads what the act prints; a new one for each. */
  reader?: () => RollReader;
  /** Absent: exit code 0 is all that shows it. */
  proof?: RestartProof | undefined;
  /** Prints what the host itself knows of a failure. */
  evidence?: Script;
}

/** What a line tells: of a worker, or text for people. */
export type Told = { worker: WorkerNews } | { text: string };

/** Which release the workers run after all; `as found`: nothing was touched. */
export type Left = "new" | "old" | "as found" | "mixed";

export interface RollReader {
  tell(line: string): Told[];
  /** A line a worker: how long it took. */
  times(): string[];
  /** Undefined where the act did not come to say it. */
  left(): Left | undefined;
  /** Why it failed, in its own words; undefined where it said none. */
  why(): string | undefined;
}

/** What shows that it is another one that runs. Looks are lines of text, or undefined where nothing runs. */
export interface RestartProof {
  /** As the words after "waiting for": "a new process in /run/my_app.pid". */
  what: string;
  /** What is looked at: a script's last line, or a field of the JSON on the app's page. */
  look: Script | { field: string };
  /** The process in a look, where it tells one. */
  pid?: (now: string) => string | undefined;
  /**
   * Why what runs now can't be restarted in this way, if so: asked before the node is touched.
   *
   * @param serves the app is well, as far as the balancers know
   */
  unfit: (now: string | undefined, serves: boolean) => string | undefined;
  /** @throws RotaError RESTART_UNPROVEN where it will not become true any more */
  judge: (before: string | undefined, now: string | undefined) => Seen<undefined>;
}

/** @param values What {NAME} in the pool's texts stands for. */
export type Restarts = (pool: Pool, values: Record<string, string>) => RestartWay;

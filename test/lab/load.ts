import { notYet, yes } from "../../src/base/poll.ts";
import { runBeside } from "./beside.ts";
import type { Counts, LoadPlan, LoadReport, WorkerMessage } from "./load-report.ts";
import { waitFor } from "./wait.ts";

/** Clients of the app, in a process of their own: what the tests do does not disturb what is measured. */
export interface Load extends AsyncDisposable {
  /** A quarter of a second old at most. */
  soFar(): Counts;
  /** Sends nothing more, waits for what is under way, and ends the process. */
  stop(): Promise<LoadReport>;
}

export type LoadOptions = Pick<LoadPlan, "urls"> & Partial<LoadPlan>;

/** Resolves when the first requests are under way. */
export async function startLoad(options: LoadOptions): Promise<Load> {
  const plan: LoadPlan = { perSecond: 100, maxSeconds: 120, ...options };
  // Whoever interrupts the tests still gets the report: it ends when it is told to, or when nobody is left to tell it.
  const worker = runBeside("load-worker.ts", JSON.stringify(plan), ["ignore", "ignore", "inherit", "ipc"]);
  const gone = new Promise((resolve) => worker.once("exit", resolve));
  let counts: Counts = { sent: 0, ok: 0, lost: 0 };
  let report: LoadReport | undefined;
  worker.on("message", (message: WorkerMessage) => {
    if ("report" in message) report = message.report;
    else counts = message.soFar;
  });
  await waitFor("the load to begin", 20_000, async () => {
    if (worker.exitCode !== null) throw new Error(`the load did not begin: exit code ${worker.exitCode}`);
    return counts.sent > 0 ? yes(undefined) : notYet("nothing was sent");
  });
  return {
    soFar: () => counts,
    async stop() {
      if (worker.connected) worker.send("stop", () => {}); // it may be ending just now
      await gone;
      if (!report) throw new Error("the load ended without a report");
      return report;
    },
    async [Symbol.asyncDispose]() {
      worker.kill();
      await gone;
    },
  };
}

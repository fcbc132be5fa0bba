import { renameSync, writeFileSync } from "node:fs";
import { messageOf } from "../base/errors.ts";
import { metricsLines } from "../board/metrics.ts";
import type { FleetView } from "../console/view.ts";
import type { OpenJournal } from "../journal/journal.ts";
import type { World } from "../rotation/world.ts";
import type { Io } from "./io.ts";

/** @param now what the balancers say, where somebody has looked */
export async function metricsText(
  journal: Pick<OpenJournal, "totals">,
  fleet: string,
  now?: Pick<FleetView, "places" | "capacity">,
): Promise<string> {
  const serving = (now?.places ?? []).map((place, i) => {
    const [some = 0, all = 0] = now?.capacity[i] ?? [];
    return { place, serving: some, servers: all };
  });
  return `${metricsLines(fleet, await journal.totals(fleet), serving).join("\n")}\n`;
}

/** After a run, for node_exporter's textfile collector: $ROTA_METRICS names the file. What fails there fails no run. */
export async function writeMetrics(
  journal: Pick<OpenJournal, "totals">,
  fleet: string,
  io: Io,
): Promise<void> {
  const path = io.env["ROTA_METRICS"];
  if (!path) return;
  try {
    const text = await metricsText(journal, fleet);
    // By rename: the collector must never read half of it.
    writeFileSync(`${path}.${process.pid}`, text, { mode: 0o644 });
    renameSync(`${path}.${process.pid}`, path);
  } catch (thrown) {
    io.err(`the metrics could not be written to ${path}: ${messageOf(thrown)}`);
  }
}

/** Its own run it can't end any more; but that the lease was lost is not to be forgotten, for those who count. */
export const tellLoss = (
  journal: Pick<OpenJournal, "did">,
  { fleet, run, by, reason }: Pick<World, "run" | "fleet" | "by" | "reason">,
): Promise<void> =>
  journal.did({ deed: "lose lease", fleet, run, by, reason, what: undefined }).catch(() => undefined);

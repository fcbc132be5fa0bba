/** A process that opens the journal of its environment, writes a run on a fleet of its own and ends. */
import { openJournal } from "../../src/journal/open.ts";
import { thisProcess } from "../../src/journal/process.ts";

const [fleet, by] = [`fleet-${process.pid}`, `${process.pid}`];
await using journal = await openJournal(process.env);
const taken = await journal.take({ fleet, by, command: "deploy", reason: undefined, ...thisProcess() });
if ("epoch" in taken)
  await journal
    .under(fleet, taken.epoch)
    .begin({ command: "deploy", fleet, by, reason: undefined, set: {}, nodes: [], args: {} });

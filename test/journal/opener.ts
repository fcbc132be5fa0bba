/** A process that opens the journal of its environment, writes a run and ends. */
import { openJournal } from "../../src/journal/open.ts";

await using journal = await openJournal(process.env);
await journal.begin({ command: "deploy", fleet: "shop", by: `${process.pid}`, reason: undefined, set: {} });

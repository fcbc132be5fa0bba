/** The web console: served by rota itself, for a fleet and the journal of those who run it. */
import { resolve } from "node:path";
import { systemClock } from "../base/clock.ts";
import { RotaError } from "../base/errors.ts";
import type { Act } from "../console/acts.ts";
import { startFeed } from "../console/feed.ts";
import { pageFiles } from "../console/page-files.ts";
import { newToken, peopleIn } from "../console/people.ts";
import { previewOf } from "../console/preview.ts";
import { serveConsole } from "../console/server.ts";
import { starter } from "../console/started.ts";
import { runLine } from "../console/view.ts";
import { findInventory } from "../inventory/find.ts";
import { selectNodes } from "../inventory/select.ts";
import type { OpenJournal } from "../journal/journal.ts";
import { openJournal } from "../journal/open.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { type ListenArgs, isInTheClear, namesOf, readWhere } from "./listen.ts";
import { looking, oneRun } from "./looking.ts";
import { metricsText } from "./metrics.ts";
import { plan } from "./plan.ts";
import { stopOnSignals } from "./signals.ts";
import { openSite, whoIsThis } from "./site.ts";
import { tellAgain } from "./tell-again.ts";

export interface ConsoleArgs extends ListenArgs {
  inventory?: string | undefined;
}

/** Milliseconds without a look at the fleet that are too many. */
const blind = 30_000;

/** Until it is stopped. What it began goes on. */
export async function serve(args: ConsoleArgs, io: Io): Promise<ExitCode> {
  const inventory = resolve(io.cwd, findInventory({ given: args.inventory, env: io.env, cwd: io.cwd }));
  const where = readWhere(args, io);
  using stop = stopOnSignals();
  await using site = openSite({ inventory, nodes: [] }, io);
  const { fleet } = site;
  await using journal = await openJournal(io.env);
  const guest = io.keyboard && { name: whoIsThis(io.env), role: "operator" as const, token: newToken() };
  if (!guest) await someoneMustHaveToken(journal);
  const again = tellAgain(site, journal, io);
  using begun = starter([process.execPath, process.argv[1] ?? ""], { env: io.env, cwd: io.cwd }, () =>
    feed.hurry(),
  );
  const look = looking(site, journal, (seen) => void again(seen));
  await using feed = startFeed({ look, begun: begun.begun }, systemClock);
  const parts = {
    feed,
    people: peopleIn(journal, guest),
    starter: begun,
    history: {
      runs: async () => (await journal.runs(fleet.name, 100)).map(runLine),
      run: (id: string) => oneRun(journal, fleet.name, id),
      printed: (id: string, node: string) => printedOn(journal, fleet.name, id, node),
    },
    preview: async (act: Act) => {
      if (act.do === "deploy") return previewDeploy(act, inventory, io);
      const now = feed.latest();
      if (!now) return [];
      const names = "nodes" in act ? selectNodes(fleet, act.nodes).map(({ name }) => name) : [];
      const run = "run" in act ? await oneRun(journal, fleet.name, act.run) : now.run;
      return previewOf(act, { fleet: now.fleet, run, names });
    },
    about: { fleet: fleet.name, needs: [...new Set(fleet.pools.flatMap(({ needs }) => needs))] },
    inventory,
    metrics: () => metricsText(journal, fleet.name, feed.latest()?.fleet),
    // For everybody: why, and where the journal is, is for those who are signed in.
    illness: async () => {
      const answers = await journal.holderOf(fleet.name).then(
        () => true,
        () => false,
      );
      if (!answers) return "the journal does not answer";
      return feed.age() > blind ? "the fleet was not looked at for half a minute" : undefined;
    },
    page: pageFiles(),
    names: namesOf(where, args.name),
  };
  await using listening = await serveConsole(parts, where);
  io.out(`the console of ${fleet.name}: ${listening.url}/${guest ? `#token=${guest.token}` : ""}`);
  if (guest)
    io.err(
      "this address lets in whoever has it, until the console ends; rota token add NAME gives one that stays",
    );
  if (isInTheClear(where))
    io.err("without TLS, whoever can listen in on this network can read tokens; docs/console.md says how");
  await new Promise<void>((done) => stop.afterThisNode.addEventListener("abort", () => done()));
  return Exit.ok;
}

/** @throws RotaError USAGE */
async function someoneMustHaveToken(journal: OpenJournal): Promise<void> {
  if ((await journal.tokens()).length > 0) return;
  throw new RotaError("USAGE", {
    problem: "nobody has a token for the console yet",
    left: "nothing was touched",
    next: "rota token add ann --role operator",
  });
}

async function printedOn(
  journal: OpenJournal,
  fleet: string,
  id: string,
  node: string,
): Promise<{ step: string; text: string }[]> {
  const run = /^[0-9a-f]{1,12}$/.test(id) ? await journal.run(id) : undefined;
  const own = run?.fleet === fleet ? run.outputs.filter((one) => one.node === node) : [];
  return own.map(({ step, text }) => ({ step, text }));
}

async function previewDeploy(
  act: Extract<Act, { do: "deploy" }>,
  inventory: string,
  io: Io,
): Promise<string[]> {
  const lines: string[] = [];
  const set = Object.entries(act.set).map(([key, value]) => `${key}=${value}`);
  const out = (text: string): void => void lines.push(text);
  await plan(
    { inventory, nodes: act.nodes, set, skip: [], ...(act.batch ? { batch: act.batch } : {}) },
    { ...io, out, err: out, width: 100 },
  ).catch((thrown: unknown) => {
    if (!(thrown instanceof RotaError)) throw thrown;
    lines.push(thrown.message);
  });
  return lines;
}

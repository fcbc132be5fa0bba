/** The web console: served by rota itself, for a fleet and the journal of those who run it. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { systemClock } from "../base/clock.ts";
import { RotaError, messageOf } from "../base/errors.ts";
import type { Act } from "../console/acts.ts";
import { type Feed, type Picture, startFeed } from "../console/feed.ts";
import { pageFiles } from "../console/page-files.ts";
import { newToken, peopleIn } from "../console/people.ts";
import { serveConsole } from "../console/server.ts";
import { starter } from "../console/started.ts";
import { type FleetView, fleetView, runView } from "../console/view.ts";
import { findInventory } from "../inventory/find.ts";
import type { OpenJournal } from "../journal/journal.ts";
import { openJournal } from "../journal/open.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { metricsText } from "./metrics.ts";
import { plan } from "./plan.ts";
import { stopOnSignals } from "./signals.ts";
import { type Site, openSite, whoIsThis } from "./site.ts";
import { lookAt } from "./status.ts";
import { tellAgain } from "./tell-again.ts";

export interface ConsoleArgs {
  inventory?: string | undefined;
  listen: string;
  name: string[];
  tlsCert?: string | undefined;
  tlsKey?: string | undefined;
}

/** Until it is stopped. What it began goes on. */
export async function serve(args: ConsoleArgs, io: Io): Promise<ExitCode> {
  const inventory = resolve(io.cwd, findInventory({ given: args.inventory, env: io.env, cwd: io.cwd }));
  const where = readListen(args.listen);
  const tls = tlsOf(args, io);
  using stop = stopOnSignals();
  await using site = openSite({ inventory, nodes: [] }, io);
  await using journal = await openJournal(io.env);
  const isTerminal = io.keyboard !== undefined;
  const guest = isTerminal
    ? { name: whoIsThis(io.env), role: "operator" as const, token: newToken() }
    : undefined;
  if (!guest && (await journal.tokens()).length === 0)
    throw new RotaError("USAGE", {
      problem: "nobody has a token for the console yet",
      left: "nothing was touched",
      next: "rota token add ann --role operator",
    });
  const again = tellAgain(site, journal, io);
  const look = looking(site, journal, again);
  await using feed = startFeed(look, systemClock);
  using begun = starter([process.execPath, process.argv[1] ?? ""], { env: io.env, cwd: io.cwd }, () =>
    feed.hurry(),
  );
  const { fleet } = site;
  await using listening = await serveConsole(
    {
      feed,
      people: peopleIn(journal, guest),
      starter: begun,
      history: {
        runs: () => journal.runs(fleet.name, 100),
        run: async (id) => {
          const run = /^[0-9a-f]{1,12}$/.test(id) ? await journal.run(id, false) : undefined;
          return run?.fleet === fleet.name ? runView(run) : undefined;
        },
        printed: async (id, node) => {
          const run = /^[0-9a-f]{1,12}$/.test(id) ? await journal.run(id) : undefined;
          const own = run?.fleet === fleet.name ? run.outputs.filter((one) => one.node === node) : [];
          return own.map(({ step, text }) => ({ step, text }));
        },
      },
      preview: (act) => preview(act, feed, inventory, io),
      about: {
        fleet: fleet.name,
        needs: [...new Set(fleet.pools.flatMap(({ needs }) => needs))],
        pools: fleet.pools.map(({ name }) => name),
        inventory,
      },
      metrics: () => metricsText(journal, fleet.name, feed.latest()?.fleet),
      illness: async () => {
        try {
          await journal.holderOf(fleet.name);
          return undefined;
        } catch (thrown) {
          return messageOf(thrown);
        }
      },
      page: pageFiles(),
      names: new Set(["localhost", "127.0.0.1", "[::1]", where.host, hostname().toLowerCase(), ...args.name]),
    },
    { ...where, tls },
  );
  io.out(`the console of ${fleet.name}: ${listening.url}/${guest ? `#token=${guest.token}` : ""}`);
  if (guest)
    io.err(
      "this address lets in whoever has it, until the console ends; rota token add NAME gives one that stays",
    );
  await new Promise<void>((done) => stop.afterThisNode.addEventListener("abort", () => done()));
  return Exit.ok;
}

/** "127.0.0.1:7682", ":7682", "[::1]:7682". @throws RotaError USAGE */
function readListen(text: string): { host: string; port: number } {
  const [, host = "", port = ""] = /^(\[[0-9a-fA-F:.]+\]|[\w.-]*):(\d{1,5})$/.exec(text) ?? [];
  if (port === "" || Number(port) > 65_535)
    throw new RotaError("USAGE", {
      problem: `--listen ${text}: write an address and a port: 127.0.0.1:7682`,
    });
  return { host: host.replace(/^\[|\]$/g, "") || "127.0.0.1", port: Number(port) };
}

function tlsOf({ tlsCert, tlsKey }: ConsoleArgs, { cwd }: Io): { cert: string; key: string } | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new RotaError("USAGE", { problem: "--tls-cert and --tls-key go together" });
  const read = (path: string): string => {
    try {
      return readFileSync(resolve(cwd, path), "utf8");
    } catch (thrown) {
      throw new RotaError("USAGE", { problem: `${path} can't be read: ${messageOf(thrown)}`, cause: thrown });
    }
  };
  return { cert: read(tlsCert), key: read(tlsKey) };
}

/** Milliseconds for which the releases of the last deploys stand: they change with a run only. */
const setsLast = 5_000;

function looking(
  site: Site,
  journal: OpenJournal,
  again: (status: Awaited<ReturnType<typeof lookAt>>["seen"]) => Promise<void>,
): () => Promise<Picture> {
  const { name } = site.fleet;
  let kept: { until: number; sets: ReturnType<OpenJournal["lastSets"]> } | undefined;
  const calm: OpenJournal = {
    ...journal,
    lastSets: (fleet) => {
      if (!kept || kept.until < Date.now())
        kept = { until: Date.now() + setsLast, sets: journal.lastSets(fleet) };
      return kept.sets;
    },
  };
  return async () => {
    const { seen } = await lookAt(site, calm, "");
    void again(seen);
    const [last] = await journal.runs(name, 1);
    const run = last && last.ended === undefined ? await journal.run(last.run, false) : undefined;
    const [live, paused] = run
      ? await Promise.all([journal.liveOf(run.run), journal.pausedBy(run.run)])
      : [undefined, undefined];
    return {
      fleet: fleetView(seen, new Date()),
      run: run && runView(run, { ...(live ? { seen: live } : {}), paused }),
    };
  };
}

async function preview(act: Act, feed: Feed, inventory: string, io: Io): Promise<string[]> {
  if (act.do === "deploy") return previewDeploy(act, inventory, io);
  const fleet = feed.latest()?.fleet;
  if (!fleet || !("nodes" in act)) return [];
  const named = namedIn(fleet, act.nodes);
  if (act.do === "ready")
    return named.map((name) => `${name} comes back once its check, and HAProxy's, pass anew`);
  const out = act.do === "rotate" ? named.slice(0, 1) : named;
  const what = act.do === "rotate" ? "one node at a time; meanwhile" : "afterwards";
  return fleet.places.map((place, i) => {
    const [serving, all] = fleet.capacity[i] ?? [0, 0];
    const leaving = fleet.nodes.filter(
      ({ name, entries }) =>
        out.includes(name) && entries.some(([at, , , , , serves]) => at === i && serves === 1),
    ).length;
    return `${place}: ${serving} of ${all} serve now, ${serving - leaving} ${what}`;
  });
}

const namedIn = ({ nodes }: FleetView, words: string[]): string[] =>
  nodes
    .filter(({ name, pool }) => words.some((word) => word === name || word === `@${pool}`))
    .map(({ name }) => name);

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

/** See scripts/demo. Exit code 0 only if the deploy ended well and no request was lost; with --all-at-once, if all came back. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { sayDuration } from "../src/base/duration.ts";
import { startLab, type Lab } from "../test/lab/lab.ts";
import type { LoadReport } from "../test/lab/load-report.ts";
import { startLoad } from "../test/lab/load.ts";

const [from, to] = ["1", "2"];
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const say = (text = ""): void => void process.stdout.write(`${text}\n`);

/** What happens to the fleet while the traffic runs. Resolves to rota's exit code, or 0. */
type Job = (lab: Lab, inventory: string, stop: AbortSignal) => Promise<number>;

interface Ended {
  code: number;
  said: string;
}
const stopped: Ended = {
  code: 130,
  said: "stopped; nothing is left running, the fleet is gone with its journal",
};

async function demo(job: Job, keeps: boolean): Promise<Ended> {
  const stop = stopOnSignals();
  say("starting two HAProxies and four nodes, each with its own address, sshd and gunicorn app …");
  await using lab = await startLab({ release: from, bootSeconds: 1, workers: 4 });
  if (stop.aborted) return stopped;
  const inventory = await lab.inventory();
  const maxSeconds = keeps ? 3_600 : 600;
  await using load = await startLoad({
    urls: lab.balancers.map(({ url }) => url),
    perSecond: 200,
    maxSeconds,
  });
  say(`traffic: 200 requests a second on ${lab.balancers.map(({ url }) => url).join(" and ")},`);
  say("half of them on kept connections, one in fifty slow (0.4 to 0.8 s)");
  say();
  await pause(1_000, stop); // some traffic before, to compare with
  const code = stop.aborted ? stopped.code : await job(lab, inventory, stop);
  await pause(1_000, stop); // what a restart breaks may show a moment later
  const isKept = keeps && code === 0 && !stop.aborted;
  if (isKept) {
    sayWhatToTry(lab, inventory);
    await once(stop, "abort");
  }
  const report = await load.stop();
  const releases = await Promise.all(lab.nodes.map((node) => node.release()));
  say();
  sayTraffic(report);
  if (stop.aborted && !isKept) return stopped;
  say(
    `releases served now: ${lab.nodes.map(({ name }, i) => `${name} ${releases[i] ?? "none"}`).join(", ")}`,
  );
  if (job === restartTogether) return { code, said: `done; ${sayLost(report.lost)} without rota` };
  const isWell = code === 0 && report.lost === 0 && (isKept || releases.every((release) => release === to));
  return isWell
    ? { code: 0, said: "done, no request was lost" }
    : { code: 1, said: "requests were lost, or the deploy did not end well" };
}

const sayLost = (lost: number): string => `${lost} request${lost === 1 ? " was" : "s were"} lost`;

/** Typed in another terminal: the journal and the inventory are the lab's. */
function sayWhatToTry(lab: Lab, inventory: string): void {
  say();
  say("the fleet stays until Ctrl-C, its traffic for an hour. In another terminal, in this folder:");
  say();
  say(`  export PATH=$PATH:$PWD/scripts ROTA_INVENTORY=${inventory} ROTA_JOURNAL=${journalOf(lab)}`);
  for (const words of [
    "status",
    'drain web2 --reason "a look"',
    "ready web2",
    `deploy --set RELEASE=${from}`,
    "rollback",
    "console",
  ])
    say(`  rota ${words}`);
}

const journalOf = (lab: Lab): string => `sqlite:${join(lab.folder, "journal.db")}`;

const rollOut: Job = async (lab, inventory, stop) => {
  const words = ["deploy", "-i", inventory, "--set", `RELEASE=${to}`, "--reason", "demo", "--yes"];
  say(`$ rota ${words.join(" ")}`);
  // A group of its own: it gets each signal once, from us.
  const rota = spawn(process.execPath, [join(import.meta.dirname, "../dist/bin/rota.js"), ...words], {
    env: { ...process.env, ROTA_JOURNAL: journalOf(lab) },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  let result = "";
  rota.stdout.setEncoding("utf8").on("data", (text: string) => (result += text));
  const forward = (): void => passOn(rota);
  stop.addEventListener("abort", forward);
  const [code] = await once(rota, "close");
  stop.removeEventListener("abort", forward);
  say();
  say(result.trimEnd());
  return typeof code === "number" ? code : 1;
};

/** The first signal lets rota finish the node in hand; whoever insists ends it at its next safe point. */
function passOn(rota: ChildProcess): void {
  rota.kill("SIGINT");
  for (const signal of signals) process.on(signal, () => rota.kill("SIGINT"));
}

const restartTogether: Job = async (lab) => {
  say(`restarting all four nodes together, as a deploy without an orchestrator does …`);
  const began = performance.now();
  await lab.restartAllAtOnce(to);
  say(`all nodes are back after ${sayDuration(performance.now() - began)}`);
  return 0;
};

function sayTraffic({ sent, lost, lostBy, p50, p99, max }: LoadReport): void {
  const ms = (milliseconds: number): string => `${Math.round(milliseconds)} ms`;
  say(`requests sent ${sent}, lost ${lost}; p50 ${ms(p50)}, p99 ${ms(p99)}, slowest ${ms(max)}`);
  for (const [what, count] of Object.entries(lostBy)) say(`  ${count} × ${what}`);
}

/** A first signal asks for an orderly end; the lab is taken down on the way out. */
function stopOnSignals(): AbortSignal {
  const stop = new AbortController();
  for (const signal of signals) process.on(signal, () => stop.abort());
  return stop.signal;
}

const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  wait(milliseconds, undefined, { signal }).catch(() => undefined);

const [option, ...rest] = process.argv.slice(2);
if (rest.length > 0 || !(option === undefined || option === "--all-at-once" || option === "--keep")) {
  process.stderr.write("usage: scripts/demo [--all-at-once | --keep]\n");
  process.exitCode = 2;
} else {
  const { code, said } = await demo(
    option === "--all-at-once" ? restartTogether : rollOut,
    option === "--keep",
  );
  say(`demo: ${said}`);
  process.exitCode = code;
}

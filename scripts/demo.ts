/** See scripts/demo. Exit code 0 only if the deploy ended well and no request was lost. */
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
type Job = (lab: Lab, stop: AbortSignal) => Promise<number>;

async function demo(job: Job): Promise<number> {
  const stop = stopOnSignals();
  say("starting two HAProxies and four nodes, each with its own address, sshd and gunicorn app …");
  await using lab = await startLab({ release: from, bootSeconds: 1 });
  if (stop.aborted) return 130;
  await using load = await startLoad({ urls: lab.balancers.map(({ url }) => url), maxSeconds: 600 });
  say(`traffic: 200 requests a second on ${lab.balancers.map(({ url }) => url).join(" and ")},`);
  say("half of them on kept connections, one in fifty slow (0.4 to 0.8 s)");
  say();
  await pause(1_000, stop); // some traffic before, to compare with
  const code = stop.aborted ? 130 : await job(lab, stop);
  await pause(1_000, stop); // what a restart breaks may show a moment later
  const report = await load.stop();
  const releases = await Promise.all(lab.nodes.map((node) => node.release()));
  say();
  sayTraffic(report);
  if (stop.aborted) return 130;
  say(
    `releases served now: ${lab.nodes.map(({ name }, i) => `${name} ${releases[i] ?? "none"}`).join(", ")}`,
  );
  return code !== 0 || report.lost > 0 || releases.some((release) => release !== to) ? 1 : 0;
}

const rollOut: Job = async (lab, stop) => {
  const inventory = await lab.inventory();
  const words = ["deploy", "-i", inventory, "--set", `RELEASE=${to}`, "--reason", "demo", "--yes"];
  say(`$ rota ${words.join(" ")}`);
  // A group of its own: it gets each signal once, from us.
  const rota = spawn(process.execPath, [join(import.meta.dirname, "../dist/bin/rota.js"), ...words], {
    env: { ...process.env, ROTA_JOURNAL: `sqlite:${join(lab.folder, "journal.db")}` },
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
if (rest.length > 0 || (option !== undefined && option !== "--all-at-once")) {
  process.stderr.write("usage: scripts/demo [--all-at-once]\n");
  process.exitCode = 2;
} else {
  process.exitCode = await demo(option ? restartTogether : rollOut);
  if (process.exitCode === 0) say("demo: done, no request was lost");
  else if (process.exitCode === 130) say("demo: stopped; nothing is left running");
  else say("demo: requests were lost, or the deploy did not end well");
}

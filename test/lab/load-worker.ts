/** Sends requests at a steady rate, whether or not they are answered, and counts honestly. */
import http from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import type { Counts, LoadPlan, LoadReport, Lost, WorkerMessage } from "./load-report.ts";

const plan: LoadPlan = JSON.parse(process.argv[2] ?? "");
const [answerWithin, slowShare, examplesAtMost] = [15_000, 0.02, 10];

const counts: Counts = { sent: 0, ok: 0, lost: 0 };
const lostBy: Record<string, number> = {};
const examples: Lost[] = [];
const latencies: number[] = [];
const underWay = new Set<Promise<void>>();

const fresh = new http.Agent({ keepAlive: false });
/** Connections that stay, each balancer its own; given up long before HAProxy gives them up after 65 s. */
const kept = plan.urls.map(() => new http.Agent({ keepAlive: true, scheduling: "fifo", timeout: 30_000 }));

const stopping = new AbortController();
process.once("message", () => stopping.abort()); // the only thing that is ever said to it
process.once("disconnect", () => process.exit(1)); // whoever wanted to know has gone
const reporting = setInterval(() => say({ soFar: counts }), 250);

const began = performance.now();
await sendAtRate();
const seconds = (performance.now() - began) / 1000;
await Promise.all(underWay);
while (!stopping.signal.aborted) await wait(50); // it reached its limit; somebody will ask
clearInterval(reporting);
await new Promise((told) => process.send?.({ report: report(seconds) } satisfies WorkerMessage, told));
process.exit();

async function sendAtRate(): Promise<void> {
  const atMost = plan.perSecond * plan.maxSeconds;
  for (;;) {
    const elapsed = (performance.now() - began) / 1000;
    const due = Math.min(Math.floor(elapsed * plan.perSecond) + 1, atMost);
    while (counts.sent < due) sendOne();
    if (stopping.signal.aborted || counts.sent >= atMost || elapsed >= plan.maxSeconds) return;
    await wait(Math.max(5, 500 / plan.perSecond));
  }
}

function sendOne(): void {
  const number = counts.sent;
  counts.sent += 1;
  const balancer = (number >> 1) % plan.urls.length;
  const agent = number % 2 === 0 ? fresh : (kept[balancer] ?? fresh);
  const path = Math.random() < slowShare ? `/slow?ms=${Math.round(400 + 400 * Math.random())}` : "/";
  const request = ask(`${plan.urls[balancer]}${path}`, agent).finally(() => underWay.delete(request));
  underWay.add(request);
}

async function ask(url: string, agent: http.Agent): Promise<void> {
  const [sent, at] = [performance.now(), new Date().toISOString().slice(11, 23)];
  const what = await outcomeOf(url, agent);
  if (what === "ok") {
    counts.ok += 1;
    latencies.push(performance.now() - sent);
    return;
  }
  counts.lost += 1;
  lostBy[what] = (lostBy[what] ?? 0) + 1;
  if (examples.length < examplesAtMost) examples.push({ at, url, what });
}

/** "ok", or what went wrong. */
function outcomeOf(url: string, agent: http.Agent): Promise<string> {
  return new Promise((resolve) => {
    const request = http.get(url, { agent }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.on("error", () => end("cut off in the answer"));
      response.on("end", () => end(judge(response, body)));
    });
    const timer = setTimeout(() => {
      end(`no answer in ${answerWithin / 1000} s`);
      request.destroy();
    }, answerWithin);
    const end = (what: string): void => {
      clearTimeout(timer);
      resolve(what); // the first one counts
    };
    request.on("error", (error: NodeJS.ErrnoException) => {
      end(`${error.code ?? error.message}${request.reusedSocket ? " on a kept connection" : ""}`);
    });
  });
}

function judge(response: http.IncomingMessage, body: string): string {
  if (response.statusCode !== 200) return `status ${response.statusCode}`;
  return /^release \S+ on \S+\n$/.test(body) ? "ok" : "wrong body";
}

function report(lasted: number): LoadReport {
  latencies.sort((a, b) => a - b);
  const below = (share: number): number => Math.round(latencies[Math.floor(share * latencies.length)] ?? 0);
  return {
    ...counts,
    lostBy,
    examples,
    p50: below(0.5),
    p99: below(0.99),
    max: Math.round(latencies.at(-1) ?? 0),
    perSecond: Math.round(counts.sent / lasted),
  };
}

function say(message: WorkerMessage): void {
  process.send?.(message);
}

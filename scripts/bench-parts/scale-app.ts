/**
 * The apps of a whole fleet in one process: it listens on one port of every address, and each address is an app of its
 * own. Lines on a fifo tell it what a node's commands do:
 *
 *   release web17 2   what the next start of web17 runs
 *   restart web17     cuts its connections; new ones are cut too until it has booted, then another instance answers
 */
import { constants, openSync } from "node:fs";
import net from "node:net";
import { createInterface } from "node:readline";
import { hostOf, numberIn } from "./scale-places.ts";

interface App {
  name: string;
  /** What runs, and what the next start runs. */
  release: string;
  installed: string;
  instance: number;
  bootsUntil: number;
  open: Set<net.Socket>;
}

const [port = "", fifo = "", boot = "", prefix = "", nodes = ""] = process.argv.slice(2);
const apps = new Map<string, App>();
for (let number = 1; number <= Number(nodes); number += 1)
  apps.set(hostOf(prefix, number), {
    name: `web${number}`,
    release: "1",
    installed: "1",
    instance: 1,
    bootsUntil: 0,
    open: new Set(),
  });

net
  .createServer((socket) => {
    const app = apps.get(socket.localAddress ?? "");
    if (!app || performance.now() < app.bootsUntil) return void socket.resetAndDestroy();
    app.open.add(socket);
    socket.on("error", () => {}).once("close", () => app.open.delete(socket));
    let asked = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      asked += text;
      if (asked.includes("\r\n\r\n")) serve(app, asked, socket);
    });
  })
  .listen({ port: Number(port), host: "0.0.0.0", backlog: 4_096 });

function serve(app: App, asked: string, socket: net.Socket): void {
  const [, path = "/"] = asked.split(" ", 2);
  const body = path.startsWith("/_status")
    ? JSON.stringify({ release: app.release, instance: app.instance })
    : `release ${app.release} on ${app.name}\n`;
  const answer = `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const [, slow = "0"] = /[?&]ms=(\d+)/.exec(path) ?? [];
  if (slow === "0") socket.end(answer);
  else setTimeout(() => socket.end(answer), Number(slow));
}

function restart(app: App): void {
  app.bootsUntil = performance.now() + Number(boot);
  app.release = app.installed;
  app.instance += 1;
  for (const socket of app.open) socket.resetAndDestroy();
}

// Open for writing too: it has no end then when the last command has written.
const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
createInterface({ input: new net.Socket({ fd, readable: true, writable: false }) }).on("line", (line) => {
  const [word, name = "", release = ""] = line.split(" ");
  const app = apps.get(hostOf(prefix, numberIn(name)));
  if (!app) throw new Error(`no app is meant by: ${line}`);
  if (word === "release") app.installed = release;
  else restart(app);
});

/** The server on a real port: streams, slow and greedy clients. */
import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { notYet, yes } from "../../src/base/poll.ts";
import { startFeed } from "../../src/console/feed.ts";
import { serveConsole } from "../../src/console/server.ts";
import { waitFor } from "../lab/wait.ts";
import { fakeParts, nodeView, picture, tokens } from "./parts.ts";

const where = { host: "127.0.0.1", port: 0 };

function raw(url: string, text: string): { socket: Socket; heard: () => string; ended: Promise<unknown> } {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  let heard = "";
  socket.setEncoding("utf8").on("data", (some: string) => (heard += some));
  socket.on("error", () => undefined);
  const ended = once(socket, "close");
  socket.write(text);
  return { socket, heard: () => heard, ended };
}

const liveRequest = (token: string): string =>
  `GET /api/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`;

const has = async (what: () => boolean) => (what() ? yes(undefined) : notYet("not yet"));

test(
  "a page is told the whole and then the changes; when its token is removed its stream ends",
  { timeout: 30_000 },
  async () => {
    let now = picture([nodeView("web1")]);
    await using feed = startFeed({ look: async () => now, begun: () => [] }, systemClock);
    const parts = fakeParts({ feed });
    await using served = await serveConsole(parts, where);
    const { heard, socket } = raw(served.url, liveRequest(tokens.vic));
    await waitFor("the whole", 5_000, () => has(() => heard().includes('"whole":true')));
    expect(heard()).toMatch(/content-type: text\/event-stream/i);
    now = picture([nodeView("web1", { note: "held by bob" })]);
    await waitFor("the change", 5_000, () => has(() => heard().includes("held by bob")));
    parts.known.clear();
    await waitFor("the stream to end", 15_000, () => has(() => heard().endsWith("\r\n0\r\n\r\n")));
    socket.destroy();
  },
);

test("a page that does not read is let go before it costs much", { timeout: 30_000 }, async () => {
  let count = 0;
  const nodes = () =>
    Array.from({ length: 2_000 }, (_, i) => nodeView(`web${i}`, { note: `${count} ${"x".repeat(100)}` }));
  await using feed = startFeed(
    { look: async () => (count++, picture(nodes())), begun: () => [] },
    systemClock,
  );
  let watchers = 0;
  const counted = {
    ...feed,
    watch: (listener: Parameters<typeof feed.watch>[0]) => {
      const unwatch = feed.watch(listener);
      watchers += 1;
      return () => void (unwatch(), (watchers -= 1));
    },
  };
  await using served = await serveConsole(fakeParts({ feed: counted }), where);
  const { socket } = raw(served.url, liveRequest(tokens.vic));
  socket.pause();
  await waitFor("it to be there", 5_000, () => has(() => watchers === 1));
  await waitFor("it to be let go", 25_000, async () => {
    feed.hurry();
    return watchers === 0 ? yes(undefined) : notYet(`${count} looks`);
  });
  socket.destroy();
});

test("headers that are too large, and what is no HTTP, are refused", async () => {
  await using served = await serveConsole(fakeParts(), where);
  const large = raw(
    served.url,
    `GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: ${"x".repeat(20_000)}\r\n\r\n`,
  );
  await large.ended;
  expect(large.heard()).toMatch(/^HTTP\/1.1 431 /);
  const garbage = raw(served.url, "\u0016\u0003\u0001 hello\r\n\r\n");
  await garbage.ended;
  expect(garbage.heard()).toMatch(/^HTTP\/1.1 400 /);
});

test("a body that says it is small and is not, or says nothing, is cut at the limit", async () => {
  const parts = fakeParts();
  await using served = await serveConsole(parts, where);
  const head = `POST /api/acts HTTP/1.1\r\nHost: localhost\r\nX-Rota-Console: 1\r\nContent-Type: application/json\r\nAuthorization: Bearer ${tokens.ann}\r\n`;
  const piece = "x".repeat(32_000);
  const chunk = `${piece.length.toString(16)}\r\n${piece}\r\n`;
  const chunked = raw(served.url, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(4)}`);
  await waitFor("an answer", 5_000, () => has(() => chunked.heard().includes("\r\n\r\n")));
  expect(chunked.heard()).toMatch(/^HTTP\/1.1 413 /);
  const both = raw(
    served.url,
    `${head}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n${chunk}0\r\n\r\n`,
  );
  await both.ended;
  expect(both.heard()).toMatch(/^HTTP\/1.1 400 /);
  expect(parts.started).toEqual([]);
  chunked.socket.destroy();
});

test("a port that is taken is said, and what to do", async () => {
  await using served = await serveConsole(fakeParts(), where);
  const port = Number(new URL(served.url).port);
  await expect(serveConsole(fakeParts(), { ...where, port })).rejects.toMatchObject({
    code: "USAGE",
    message: expect.stringMatching(/can't listen on 127.0.0.1:\d+: .*EADDRINUSE/),
  });
});

// A client that sends a byte now and then holds a place for ten seconds, and no longer.
test.runIf(process.env["CHAOS"] === "full")("slow clients are given up", { timeout: 60_000 }, async () => {
  await using served = await serveConsole(fakeParts(), where);
  const began = performance.now();
  const slow = Array.from({ length: 200 }, () => raw(served.url, "GET / HTTP/1.1\r\nHost: loc"));
  const drip = setInterval(() => slow.forEach(({ socket }) => socket.write("a")), 1_000);
  const silent = raw(served.url, "");
  const body = raw(
    served.url,
    "POST /api/sign-in HTTP/1.1\r\nHost: localhost\r\nX-Rota-Console: 1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
  );
  expect((await fetch(`${served.url}/healthz`)).status).toBe(200); // others are served meanwhile
  await Promise.all([...slow, silent, body].map(({ ended }) => ended));
  clearInterval(drip);
  expect(performance.now() - began).toBeLessThan(25_000);
});

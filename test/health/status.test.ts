import { once } from "node:events";
import net from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, expect, test, vi } from "vitest";
import { createStatusClient, type AskOptions, type StatusAnswer } from "../../src/health/status.ts";
import { fakeApp, portOf } from "../fakes/app.ts";

const ask = (url: string, options: Partial<AskOptions> = {}): Promise<StatusAnswer> =>
  createStatusClient().ask(url, { within: 5_000, signal: new AbortController().signal, ...options });

afterEach(() => vi.unstubAllEnvs());

test("what the app says is the answer, whatever the status", async () => {
  await using app = await fakeApp();
  app.answers(
    { status: 200, body: '{ "status": "ok" }' },
    { status: 503, body: "stopping" },
    { status: 404 },
  );
  expect(await ask(app.url)).toEqual({ kind: "answered", status: 200, body: '{ "status": "ok" }' });
  expect(await ask(app.url)).toEqual({ kind: "answered", status: 503, body: "stopping" });
  expect(await ask(app.url)).toEqual({ kind: "answered", status: 404, body: "" });
  expect(app.requests.map((request) => request.url)).toEqual(["/_status", "/_status", "/_status"]);
});

test("a redirect is an answer and is not followed", async () => {
  await using app = await fakeApp();
  app.answers({ status: 302, headers: { Location: "/login" }, body: "moved" });
  expect(await ask(app.url)).toEqual({ kind: "answered", status: 302, body: "moved" });
  expect(app.requests).toHaveLength(1);
});

test("a proxy in the environment is not asked", async () => {
  await using app = await fakeApp();
  await using proxy = await fakeApp();
  for (const name of ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]) {
    vi.stubEnv(name, `http://127.0.0.1:${proxy.port}`);
  }
  expect(await ask(app.url)).toMatchObject({ kind: "answered", status: 200 });
  expect(app.requests).toHaveLength(1);
  expect(proxy.connections).toBe(0);
});

test("each question has a connection of its own", async () => {
  await using app = await fakeApp();
  const client = createStatusClient();
  const options = { within: 5_000, signal: new AbortController().signal };
  await client.ask(app.url, options);
  await client.ask(app.url, options);
  expect(app.connections).toBe(2);
});

test.each(["hang", "drip"] as const)("an app that does %s is cut at the deadline", async (answer) => {
  await using app = await fakeApp();
  app.answers(answer);
  const started = performance.now();
  expect(await ask(app.url, { within: 300 })).toEqual({ kind: "silent", why: "no answer within 300ms" });
  expect(performance.now() - started).toBeLessThan(3_000);
});

test("a body of more than 64 KB is no answer, also where it comes packed", async () => {
  await using app = await fakeApp();
  const huge = "x".repeat(70_000);
  const packed = { "Content-Encoding": "gzip" };
  app.answers({ status: 200, body: huge }, { status: 200, body: gzipSync(huge), headers: packed });
  expect(await ask(app.url)).toEqual({ kind: "silent", why: "body longer than 64 KB" });
  expect(await ask(app.url)).toEqual({ kind: "silent", why: "body longer than 64 KB" });
});

test("a body of just 64 KB is read, and a packed one unpacked", async () => {
  await using app = await fakeApp();
  const body = "x".repeat(65_536);
  app.answers(
    { status: 200, body },
    { status: 200, body: gzipSync("ü"), headers: { "Content-Encoding": "gzip" } },
  );
  expect(await ask(app.url)).toEqual({ kind: "answered", status: 200, body });
  expect(await ask(app.url)).toEqual({ kind: "answered", status: 200, body: "ü" });
  expect(app.requests[0]?.headers["accept-encoding"]).toBe("identity");
});

test("an answer that is cut is silence", async () => {
  await using app = await fakeApp();
  app.answers("reset", "cut");
  expect(await ask(app.url)).toEqual({ kind: "silent", why: "the connection was cut" });
  expect(await ask(app.url)).toEqual({
    kind: "silent",
    why: "the connection was cut in the middle of the answer",
  });
});

test("silence says why, so that a person can read it", async () => {
  const app = await fakeApp();
  await app[Symbol.asyncDispose]();
  expect(await ask(app.url)).toEqual({ kind: "silent", why: "connection refused" });
  expect(await ask(`http://localhost:${app.port}/`)).toEqual({ kind: "silent", why: "connection refused" });
  expect(JSON.stringify(await ask("http://web1.invalid/"))).toMatch(
    /name not found|name server does not answer/,
  );
  expect(await ask("web1/_status")).toEqual({ kind: "silent", why: "Invalid URL" });
});

test("something that does not speak HTTP is silence", async () => {
  const server = net.createServer((socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n")).listen(0, "127.0.0.1");
  await once(server, "listening");
  expect(JSON.stringify(await ask(`http://127.0.0.1:${portOf(server)}/`))).toContain(
    "the answer is not HTTP",
  );
  server.close();
});

test("whoever stops is not kept waiting", async () => {
  await using app = await fakeApp();
  app.answers("hang");
  const stop = new AbortController();
  const asking = ask(app.url, { signal: stop.signal });
  await expect.poll(() => app.requests).toHaveLength(1);
  stop.abort();
  expect(await asking).toEqual({ kind: "silent", why: "stopped waiting for the answer" });
  expect(await ask(app.url, { signal: stop.signal })).toEqual({
    kind: "silent",
    why: "stopped waiting for the answer",
  });
  expect(app.requests).toHaveLength(1);
});

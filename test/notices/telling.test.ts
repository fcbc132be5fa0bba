/** One try, several tries, one target's queue; on real sockets, and time that tests move themselves. */
import { once } from "node:events";
import net from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Notice } from "../../src/notices/notice.ts";
import { lane } from "../../src/notices/lane.ts";
import { type Posted, post, retryAfter } from "../../src/notices/post.ts";
import { pauses, untilTaken } from "../../src/notices/retry.ts";
import { type FakeAnswer, fakeApp, portOf } from "../fakes/app.ts";
import { fakeClock } from "../fakes/clock.ts";

const calm = new AbortController().signal;
const body = Buffer.from('{"text":"ä"}');

beforeEach(() => void vi.stubEnv("NO_PROXY", "127.0.0.1").stubEnv("no_proxy", "127.0.0.1"));
afterEach(() => void vi.unstubAllEnvs());

test.each<[string, FakeAnswer, Partial<Posted>]>([
  ["204", { status: 204 }, { taken: true }],
  ["200 and a body without end", "drip", { taken: true }],
  ["200 and a body that is cut", "cut", { taken: true }],
  ["200 and a huge body", { status: 200, body: Buffer.alloc(50_000_000) }, { taken: true }],
  ["503", { status: 503, body: "busy\n now" }, { taken: false, why: "answered 503: busy now", again: true }],
  ["500 and a huge body", { status: 500, body: "x".repeat(5_000_000) }, { taken: false, again: true }],
  [
    "404",
    { status: 404, body: "no_service" },
    { taken: false, why: "answered 404: no_service", again: false },
  ],
  ["408", { status: 408 }, { taken: false, why: "answered 408", again: true }],
  [
    "429 and when",
    { status: 429, headers: { "Retry-After": "7" } },
    { taken: false, why: "answered 429", again: true, after: 7_000 },
  ],
  [
    "a redirect",
    { status: 302, headers: { Location: "/elsewhere" } },
    { taken: false, why: "answered 302, a redirect, which is not followed", again: false },
  ],
  ["a cut connection", "reset", { taken: false, why: "the connection was cut", again: true }],
])("%s", async (_, answer, posted) => {
  await using app = await fakeApp();
  app.answers(answer);
  expect(await post(app.url, body, { "webhook-id": "msg_1" }, calm)).toMatchObject(posted);
  expect(app.requests).toHaveLength(1); // nothing was followed
  expect(app.requests[0]).toMatchObject({
    url: "/_status",
    body: String(body),
    headers: { "content-type": "application/json", "webhook-id": "msg_1" },
  });
});

test("who hangs is given up at the limit, and at once where nobody waits any longer", async () => {
  await using app = await fakeApp();
  app.answers("hang");
  expect(await post(app.url, body, {}, calm, 200)).toEqual({
    taken: false,
    why: "no answer within 200ms",
    again: true,
  });
  const stop = new AbortController();
  const posted = post(app.url, body, {}, stop.signal);
  await vi.waitFor(() => expect(app.requests).toHaveLength(2));
  stop.abort();
  expect(await posted).toEqual({
    taken: false,
    why: "no answer yet when the wait was over",
    again: false,
  });
});

test("nobody there", async () => {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  expect(await post(`http://127.0.0.1:${port}/T0KEN`, body, {}, calm)).toEqual({
    taken: false,
    why: "connection refused",
    again: true,
  });
});

test("through the company's proxy, which of an https address sees the host only", async () => {
  const asked: string[] = [];
  const proxy = net.createServer((socket) => {
    socket.once("data", (data) => {
      asked.push(String(data));
      socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    });
    socket.on("error", () => undefined);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const at = `http://127.0.0.1:${portOf(proxy)}`;
  vi.stubEnv("HTTPS_PROXY", at)
    .stubEnv("https_proxy", at)
    .stubEnv("HTTP_PROXY", at)
    .stubEnv("http_proxy", at);
  try {
    const tls = await post("https://hooks.example.net/T0KEN", body, {}, calm);
    const plain = await post("http://hooks.example.net/T0KEN", body, {}, calm);
    expect(tls).toMatchObject({ taken: false });
    expect(plain).toMatchObject({ taken: false, why: "answered 403" });
    expect(asked[0]).toMatch(/^CONNECT hooks\.example\.net:443 /);
    expect(asked[0]).not.toContain("T0KEN");
    expect(asked[1]).toMatch(/^POST http:\/\/hooks\.example\.net\/T0KEN /);
  } finally {
    proxy.close();
    await once(proxy, "close");
  }
});

test("Retry-After: seconds or a date, bounded", () => {
  const now = Date.parse("2026-11-27T10:00:00Z");
  expect(
    ["3", "0", "86400", "Fri, 27 Nov 2026 10:00:20 GMT", "", "soon"].map((text) => retryAfter(text, now)),
  ).toEqual([3_000, 0, 60_000, 20_000, undefined, undefined]);
  expect(retryAfter("Fri, 27 Nov 2026 09:00:00 GMT", now)).toBe(0);
});

/** Answers in turn; the last one stays. */
function answering(...answers: Posted[]) {
  const left = [...answers];
  let tries = 0;
  const attempt = async (): Promise<Posted> => {
    tries += 1;
    const [next = { taken: true }] = left;
    if (left.length > 1) left.shift();
    return next;
  };
  return { attempt, tries: () => tries };
}

const busy: Posted = { taken: false, why: "answered 503", again: true };

test("tried again with growing pauses, and given up", async () => {
  const clock = fakeClock();
  const { attempt, tries } = answering(busy);
  expect(await untilTaken(attempt, { clock, soon: calm, now: calm })).toBe("answered 503 (5 tries)");
  expect(tries()).toBe(5);
  expect(clock.slept).toEqual(pauses);
});

test("what the other side asks for is kept, also where somebody waits; our own pauses are short then", async () => {
  const clock = fakeClock();
  const soon = AbortSignal.abort();
  const { attempt } = answering({ ...busy, after: 7_000 }, busy, busy, { taken: true });
  expect(await untilTaken(attempt, { clock, soon, now: calm })).toBeUndefined();
  expect(clock.slept).toEqual([7_000, 1_000, 1_000]);
});

test("what can't get better is not tried again, and nothing once the wait is over", async () => {
  const clock = fakeClock();
  const refused = answering({ taken: false, why: "answered 404", again: false });
  expect(await untilTaken(refused.attempt, { clock, soon: calm, now: calm })).toBe("answered 404");
  const late = answering(busy);
  expect(await untilTaken(late.attempt, { clock, soon: calm, now: AbortSignal.abort() })).toBe(
    "answered 503",
  );
  expect(clock.slept).toEqual([]);
});

const notice = (kind: Notice["kind"], why = ""): Notice => ({
  kind,
  at: "",
  run: "7f3a1c",
  command: "deploy",
  fleet: "shop",
  by: "ada",
  set: {},
  nodes: { all: 1, done: 0, failed: 0, left: 1 },
  ...(kind === "failure" ? { failures: [{ node: "web1", why }] } : {}),
});

test("a queue keeps its order, gathers failures while it is busy, and never throws", async () => {
  const told: Notice[] = [];
  let letGo = (): void => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  const queue = lane(
    async (one) => {
      told.push(one);
      if (told.length === 1) await held;
      if (one.kind === "failure") throw new Error("a defect");
      return undefined;
    },
    { clock: fakeClock(), soon: calm, now: calm },
  );
  queue.add(notice("start"));
  for (let i = 0; i < 1_000; i += 1) queue.add(notice("failure", `${i}`));
  queue.add(notice("end"));
  letGo();
  await queue.idle();
  expect(told.map(({ kind }) => kind)).toEqual(["start", "failure", "end"]);
  expect(told[1]?.failures?.map(({ why }) => why).slice(0, 3)).toEqual(["0", "1", "2"]);
  expect(told[1]?.more).toBe(980);
  expect(queue.untold).toEqual([{ kind: "failure", why: "a defect" }]);
  expect(queue.all).toBe(3);
});

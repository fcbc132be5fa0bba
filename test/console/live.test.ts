/** The stream of one page, whose page goes away at the wrong moment. */
import { expect, test, vi } from "vitest";
import { consoleApp } from "../../src/console/app.ts";
import { fakeParts, tokens } from "./parts.ts";

const headers = { host: "localhost", "x-rota-console": "1", "content-type": "application/json" };
const asAnn = { ...headers, cookie: `rota_token=${tokens.ann}` };
const env = { address: "10.0.0.1", hangUp: () => undefined };

test.each([true, false])(
  "a page that goes away while the journal is asked about its token ends nothing but its stream (still one: %s)",
  async (isIn) => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const asked: (() => void)[] = [];
    const parts = fakeParts();
    const app = consoleApp(parts, false);
    const response = await app.request("/api/live", { headers: asAnn }, env);
    expect(response.status).toBe(200);
    const person = { name: "ann", role: "operator" as const };
    parts.people.whose = () => new Promise((resolve) => asked.push(() => resolve(isIn ? person : undefined)));
    vi.advanceTimersByTime(5_000);
    vi.useRealTimers();
    expect(asked).toHaveLength(1);
    await response.body?.cancel();
    for (const answer of asked) answer();
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  },
);

test("a question for the head alone begins no stream: nobody would end it", async () => {
  let watching = 0;
  const parts = fakeParts();
  parts.feed.watch = () => {
    watching++;
    return () => void watching--;
  };
  const app = consoleApp(parts, false);
  await app.request("/api/live", { method: "HEAD", headers: asAnn }, env);
  expect(watching).toBe(0);
});

/** What hangs: the run is over, its journal and its lease are closed, and only then somebody waits for notices. */
import { expect, test, vi } from "vitest";
import { type FakeApp, fakeApp } from "../fakes/app.ts";
import { type FakeSite, fakeSite } from "../fakes/site.ts";

// One after the other: a signal reaches every run in this process.

const interrupt = (): void => void process.emit("SIGINT", "SIGINT");

const deploy = (site: FakeSite, ...words: string[]) => site.rota("deploy", "--set", "RELEASE=2", ...words);

async function hanging(): Promise<FakeApp> {
  vi.stubEnv("NO_PROXY", "127.0.0.1").stubEnv("no_proxy", "127.0.0.1");
  const app = await fakeApp();
  app.answers("hang");
  return app;
}

test("a target that hangs from the start is waited for when all else is done; Ctrl-C ends that", async () => {
  await using hook = await hanging();
  await using well = await fakeApp();
  await using site = await fakeSite({
    fleet: { notices: [{ webhook: hook.url }, { run: "sleep 60; touch slept" }, { webhook: well.url }] },
  });
  await using journal = await site.journal();
  const seen: unknown[] = [];
  const look = async (): Promise<void> => {
    const [run] = await journal.runs("fake", 1);
    seen.push(run?.outcome, await journal.holderOf("fake"), hook.requests.length, well.requests.length);
    interrupt();
  };
  site.whenSaid(/^waiting for notices, 10s at most; Ctrl-C ends that$/, () => void look());
  const { code, err, events } = await deploy(site, "--json");
  expect(code, err).toBe(0);
  // All that while the first notice had no answer: nothing of the run waited for it.
  expect(seen).toEqual(["done", undefined, 1, 2]);
  expect(events.at(-1)).toMatchObject({ type: "run ended", end: "done" });
  expect(err).toMatch(
    /notices 1 \(.*\) was not told 2 of 2 \(start, end\): no answer yet when the wait was over$/m,
  );
  expect(err).toMatch(
    /notices 2 \(sleep\) was not told 2 of 2 \(start, end\): still running when the wait was over/,
  );
  expect(err).not.toContain("notices 3");
});

test("a run that is stopped at once is told as interrupted, to whoever listens", async () => {
  await using hook = await hanging();
  await using well = await fakeApp();
  await using site = await fakeSite({
    pool: { drain: { within: "60s" } },
    fleet: { notices: [{ webhook: hook.url }, { webhook: well.url }] },
  });
  site.balancer("lb1").server("app", "web1").sessions = 3;
  site.whenWaiting("web1", /session/, () => {
    interrupt();
    interrupt();
  });
  const { code, err } = await deploy(site, "--json");
  expect(code, err).toBe(4);
  expect(err).toContain("waiting for notices, 2s at most");
  const kinds = well.requests.map(({ body }): unknown => JSON.parse(body).type);
  expect(kinds).toEqual(["run.start", "run.end"]);
  expect(well.requests[1]?.body).toContain('"end":"interrupted"');
});

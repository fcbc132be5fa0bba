/** Whole runs, whose notices go to real servers and commands. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import { type FakeApp, fakeApp } from "../fakes/app.ts";
import { type FakeSite, type Said, fakeSite, type FakeSiteOptions } from "../fakes/site.ts";

vi.setConfig({ testTimeout: 60_000, maxConcurrency: 4 }); // whole runs, on a machine that may be busy

beforeEach(() => void vi.stubEnv("NO_PROXY", "127.0.0.1"));

const deploy = (site: FakeSite, ...words: string[]): Promise<Said> =>
  site.rota("deploy", "--set", "RELEASE=2", ...words);

const noticing = (notices: object[], options: FakeSiteOptions = {}): Promise<FakeSite> =>
  fakeSite({ ...options, fleet: { notices } });

/** What a server was told, in order. */
const told = (app: FakeApp): any[] => app.requests.map(({ body }) => JSON.parse(body));

test.concurrent("start and end", async () => {
  await using hook = await fakeApp();
  await using site = await noticing([
    { webhook: hook.url },
    { webhook: hook.url, form: "slack" },
    { run: 'printf "%s\\n" "$ROTA_TEXT" >> told' },
  ]);
  const { code, err } = await deploy(site, "--reason", "a reason");
  expect(code, err).toBe(0);
  console.log(told(hook), err);
  console.log(await readFile(join(dirname(site.inventory), "told"), "utf8"));
});

/** Whole runs, whose notices go to real servers and commands. */
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import * as z from "zod";
import { type FakeApp, fakeApp } from "../fakes/app.ts";
import { buildProgram, runUntilKilled } from "../fakes/program.ts";
import { type FakeSite, type FakeSiteOptions, type Overrides, type Said, fakeSite } from "../fakes/site.ts";

vi.setConfig({ maxConcurrency: 4 });

beforeAll(async () => {
  vi.stubEnv("NO_PROXY", "127.0.0.1").stubEnv("no_proxy", "127.0.0.1");
  await buildProgram();
});

const deploy = (site: FakeSite, ...words: string[]): Promise<Said> =>
  site.rota("deploy", "--set", "RELEASE=2", ...words);

const noticing = (
  notices: object[],
  pool: Overrides = {},
  options: FakeSiteOptions = {},
): Promise<FakeSite> => fakeSite({ ...options, pool, fleet: { notices, ...options.fleet } });

const posted = z.object({
  type: z.string(),
  text: z.string(),
  data: z.object({
    run: z.string(),
    command: z.string(),
    nodes: z.record(z.string(), z.number()),
    failures: z.array(z.object({ node: z.string().optional(), why: z.string() })).default([]),
    ended: z.object({ end: z.string(), next: z.string().optional() }).optional(),
  }),
});

/** What a server was told, in order. */
const told = (app: FakeApp) => app.requests.map(({ body }) => posted.parse(JSON.parse(body)));
const kinds = (app: FakeApp): string[] => told(app).map(({ type }) => type);
const titles = (app: FakeApp): string[] => told(app).map(({ text }) => text.split("\n")[0] ?? "");

const inFolder = (site: FakeSite, name: string): Promise<string> =>
  readFile(join(dirname(site.inventory), name), "utf8").catch(() => "");

test.concurrent(
  "webhooks in both forms and a command are told of start and end; each only of what it wants",
  async () => {
    await using all = await fakeApp();
    await using slack = await fakeApp();
    await using site = await noticing([
      { webhook: all.url },
      { webhook: slack.url, form: "slack", on: ["end"] },
      {
        run: 'echo "$ROTA_NOTICE $ROTA_COMMAND $ROTA_FLEET $ROTA_REASON:$ROTA_OUTCOME" >> told; printf %s "$ROTA_NOTICE_JSON" > json',
      },
    ]);
    const { code, out, err } = await deploy(site, "--reason", "the fix");
    expect(code, err).toBe(0);
    expect(`${out}${err}`).not.toContain("notices");
    expect(kinds(all)).toEqual(["run.start", "run.end"]);
    expect(titles(all)[0]).toBe("deploy fake starts: 2 nodes");
    expect(titles(all)[1]).toMatch(/^deploy fake is done in \S+: 2 nodes$/);
    expect(told(all)[1]?.data.nodes).toEqual({ all: 2, done: 2, failed: 0, left: 0 });
    expect(slack.requests).toHaveLength(1);
    expect(slack.requests[0]?.body).toMatch(/^\{"text":"\*deploy fake is done in /);
    expect(await inFolder(site, "told")).toBe("start deploy fake the fix:\nend deploy fake the fix:done\n");
    expect(posted.parse(JSON.parse(await inFolder(site, "json"))).type).toBe("run.end");
  },
);

test.concurrent("a failure is told at once: here the next node waits for it", async () => {
  await using hook = await fakeApp();
  const heard = 'if [ "$ROTA_NODE" = web2 ]; then while [ ! -e heard ]; do sleep 0.1; done; fi';
  const pool = {
    upgrade: '[ "$ROTA_NODE" != web1 ] || exit 7',
    rollout: { max_failures: 1, min_serving: 0 },
    hooks: { before_node: { here: heard } },
  };
  await using site = await noticing([{ webhook: hook.url }, { run: "touch heard", on: ["failure"] }], pool);
  const { code, err } = await deploy(site);
  expect(code, err).toBe(1);
  expect(err).not.toContain("web2: hooks.before_node");
  expect(kinds(hook)).toEqual(["run.start", "run.failure", "run.end"]);
  const [, failure, end] = told(hook);
  expect(failure?.data.failures).toEqual([{ node: "web1", why: expect.stringContaining("exit code 7") }]);
  expect(end?.data.nodes).toEqual({ all: 2, done: 1, failed: 1, left: 0 });
  expect(end?.data.ended).toMatchObject({ end: "failed", next: expect.stringMatching(/^rota resume /) });
});

test.concurrent("a whole batch that fails is one notice", async () => {
  await using hook = await fakeApp();
  const pool = { rollout: { batch: 6, min_serving: 0 }, upgrade: "exit 7" };
  await using site = await noticing([{ webhook: hook.url, on: ["failure"] }], pool, { nodes: 6 });
  expect((await deploy(site)).code).toBe(1);
  expect(titles(hook)).toEqual(["deploy fake: 6 nodes failed"]);
});

test.concurrent("a hook that stops the run is a failure", async () => {
  await using hook = await fakeApp();
  const fleet = { hooks: { before_deploy: { here: "exit 3" } } };
  await using site = await noticing([{ webhook: hook.url }], {}, { fleet });
  expect((await deploy(site)).code).toBe(3);
  expect(kinds(hook)).toEqual(["run.start", "run.failure", "run.end"]);
  expect(told(hook)[1]?.data.failures).toEqual([{ why: "hooks.before_deploy: exit code 3" }]);
});

test.concurrent("a lost lease is a failure", async () => {
  await using hook = await fakeApp();
  await using site = await noticing([{ webhook: hook.url }]);
  await using journal = await site.journal();
  const lose = async (): Promise<void> => {
    const holder = await journal.holderOf("fake");
    await journal.release("fake", holder?.epoch ?? 0);
  };
  site.atStep("web1", "settle", () => void lose());
  const { err } = await deploy(site, "--json");
  expect(err).toContain("rota: the lease went to somebody else");
  expect(told(hook).flatMap(({ data }) => data.failures.map(({ why }) => why))).toContain(
    "the lease is lost: it stops before the next act",
  );
});

test.concurrent("a deploy that is undone by itself: its end, then a run of its own", async () => {
  await using hook = await fakeApp();
  const pool = { rollout: { on_failure: "rollback" }, check: { within: "1s" } };
  await using site = await noticing([{ webhook: hook.url }], pool);
  expect((await site.rota("deploy", "--set", "RELEASE=1")).code).toBe(0);
  hook.requests.length = 0;
  site.app("web1").answers({ status: 500 });
  site.whenSaid(/is put back$/, () => site.app("web1").answers({ status: 200 }));
  await deploy(site);
  expect(told(hook).map(({ type, data }) => `${data.command} ${type}`)).toEqual([
    "deploy run.start",
    "deploy run.failure",
    "deploy run.end",
    "rollback run.start",
    "rollback run.end",
  ]);
});

test.concurrent("500 twice, then taken: the same notice under the same id, signed anew", async () => {
  await using hook = await fakeApp();
  hook.answers({ status: 500 }, { status: 500 }, { status: 200 });
  await using site = await noticing([{ webhook: hook.url, secret: { env: "NOTICE_SECRET" }, on: ["end"] }]);
  site.env["NOTICE_SECRET"] = "a secret of ours";
  const { code, err } = await deploy(site);
  expect(code, err).toBe(0);
  expect(err).not.toContain("was not told");
  expect(hook.requests).toHaveLength(3);
  expect(new Set(hook.requests.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  expect(new Set(hook.requests.map(({ body }) => body)).size).toBe(1);
  for (const { headers } of hook.requests) expect(headers["webhook-signature"]).toMatch(/^v1,\S{44}$/);
});

test.concurrent("broken targets hold up neither the others nor the run, and are named", async () => {
  await using gone = await fakeApp();
  const { port } = gone;
  await gone[Symbol.asyncDispose]();
  await using moved = await fakeApp();
  moved.answers({ status: 301, headers: { Location: "/" } });
  await using well = await fakeApp();
  await using site = await noticing([
    { webhook: `http://127.0.0.1:${port}/` },
    { webhook: moved.url },
    { run: "echo no such channel >&2; exit 4", on: ["end"] },
    { webhook: { env: "NOT_SET" } },
    { webhook: well.url, secret: { env: "NOT_SET" } },
    { webhook: well.url },
  ]);
  const { code, err } = await deploy(site);
  expect(code, err).toBe(0);
  expect(kinds(well)).toEqual(["run.start", "run.end"]);
  expect(err).toMatch(
    /rota: notices 1 \(127.0.0.1:\d+\) was not told 2 of 2 \(start, end\): connection refused \(\d tries\)\n/,
  );
  expect(err).toMatch(/\(start, end\): answered 301, a redirect, which is not followed\n/);
  expect(err).toMatch(/notices 3 \(echo\) was not told 1 of 1 \(end\): exit code 4: no such channel$/m);
  expect(err).toContain("notices 4: $NOT_SET is not set; nobody is told there\n");
  expect(err).toMatch(/notices 5 \(.*\): \$NOT_SET is not set; nobody is told there\n/);
});

test.concurrent("no address and no secret is printed, sent, or in the journal", async () => {
  await using hook = await fakeApp();
  const key = "T0KENT0KENT0KENT0KENT0KEN";
  const signing = "signing secret of ours";
  hook.answers({ status: 404, body: `no ${key} here, ${signing}` });
  const notices = [
    { webhook: { env: "HOOK_URL" }, secret: { env: "NOTICE_SECRET" } },
    { run: 'echo "$HOOK_URL $NOTICE_SECRET"; exit 1' },
  ];
  const fleet = { hooks: { before_deploy: { here: 'echo "$HOOK_URL" "$NOTICE_SECRET" "$TOKEN"' } } };
  const pool = { vars: { TOKEN: { env: "TOKEN", secret: true } }, upgrade: 'echo "$TOKEN"; exit 1' };
  await using site = await noticing(notices, pool, { fleet });
  const secrets = [key, `${hook.url}/${key}`, signing, "hunter2hunter2"];
  Object.assign(site.env, { HOOK_URL: secrets[1], NOTICE_SECRET: signing, TOKEN: secrets[3] });
  const said = [await deploy(site, "--reason", `because of ${key}`), await deploy(site, "--json")];
  const refused = await site.rota("deploy", "--set", `RELEASE=${key}`);
  expect(refused.code).toBe(2);
  expect(said[0]?.err).toContain("notices 1 (127.0.0.1");
  expect(hook.requests.length).toBeGreaterThan(3);
  const everything = [
    ...[...said, refused].flatMap(({ out, err }) => [out, err]),
    ...hook.requests.map(({ body }) => body),
    await inFolder(site, "journal.db"),
  ].join("\n");
  expect(everything).toContain("[secret]");
  for (const secret of secrets) expect(everything).not.toContain(secret);
});

test.concurrent(
  "killed while a notice waits: the journal has the end of the run, and nobody holds the fleet",
  async () => {
    await using hook = await fakeApp();
    hook.answers("hang");
    await using site = await noticing([{ webhook: hook.url }]);
    const words = ["deploy", "-i", site.inventory, "--set", "RELEASE=2"];
    const run = await runUntilKilled({ type: "run ended", later: 2_000 }, words, { env: site.env });
    await using journal = await site.journal();
    expect((await journal.run(run))?.outcome).toBe("done");
    expect(await journal.holderOf("fake")).toBeUndefined();
    expect(hook.requests).toHaveLength(1); // it was waiting for the first
  },
);

test.concurrent("who hangs is waited for, and no longer than ten seconds", async () => {
  await using hook = await fakeApp();
  hook.answers("hang");
  await using site = await noticing([{ webhook: hook.url }]);
  const { code, err } = await deploy(site);
  expect(code, err).toBe(0);
  expect(err).toContain("waiting for notices, 10s at most");
  expect(err).toMatch(/was not told 2 of 2 \(start, end\)/);
});

test.concurrent("without notices, and with no run, nothing is said and nobody is asked", async () => {
  await using hook = await fakeApp();
  await using site = await noticing([{ webhook: hook.url }]);
  await deploy(site, "--dry-run");
  await site.rota("plan");
  await writeFile(site.inventory, (await readFile(site.inventory, "utf8")).replace("needs:", "nneeds:"));
  expect((await deploy(site)).code).toBe(2);
  expect(hook.requests).toEqual([]);
});

/** The console in real browsers, with real HAProxies, sshds and apps behind, and a journal that two consoles share. */
import { execFile, execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import axe from "axe-core";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import { systemClock } from "../../src/base/clock.ts";
import { startFeed } from "../../src/console/feed.ts";
import { pageFiles } from "../../src/console/page-files.ts";
import { serveConsole } from "../../src/console/server.ts";
import { fakeParts, fleetView, nodeView, runView, tokens } from "../console/parts.ts";
import { type LabConsole, consoleOf, openBrowser, openPage, phone, tokenFor } from "./console.ts";
import { freePorts } from "./addresses.ts";
import { type Lab, startLab } from "./lab.ts";
import { type LabPostgres, startPostgres } from "./postgres.ts";
import { runRota, startRota } from "./rota.ts";
import { waitFor } from "./wait.ts";

/** A text that would act, were it markup. */
const markup = `<img src=x onerror="document.title='owned'">`;

let lab: Lab;
let postgres: LabPostgres;
let browser: Browser;
let inventory: string;
let ann: string;
let vic: string;
let env: Record<string, string>;
/** It comes again where it was. */
let startFirst: () => Promise<LabConsole>;
let first: LabConsole;
let second: LabConsole;
const complaints: string[] = [];

beforeAll(async () => {
  [lab, postgres, browser] = await Promise.all([
    startLab({ nodes: 3, bootSeconds: 0.3, workers: 1, checkInterMs: 200 }),
    startPostgres(),
    openBrowser(),
  ]);
  env = { ROTA_JOURNAL: await postgres.freshDatabase(), ROTA_METRICS: join(lab.folder, "rota.prom") };
  inventory = await lab.inventory({
    check: { within: "4s" },
    upgrade: `echo '${markup.replaceAll("'", `'\\''`)}'; cd "$NODE_HOME" && ./switch-release "$RELEASE"`,
  });
  ann = await tokenFor(lab, "ann", "operator", env);
  vic = await tokenFor(lab, "vic", "viewer", env);
  const [port = 0] = await freePorts(1, ["127.0.0.1"]);
  startFirst = () => consoleOf(lab, inventory, env, ["--listen", `127.0.0.1:${port}`]);
  [first, second] = await Promise.all([startFirst(), consoleOf(lab, inventory, env)]);
}, 60_000);

/** Pages that nobody looks at any more go on drawing. */
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));

afterAll(async () => {
  await browser?.close();
  await Promise.all([first, second].map((served) => served?.[Symbol.asyncDispose]()));
  await lab?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

/** Whatever the browser complains of (a policy that refuses, a script that throws) fails a test. */
async function open(
  served: Pick<LabConsole, "url">,
  token: string,
  options: Parameters<typeof openPage>[3] = {},
): Promise<Page> {
  const page = await openPage(browser, served, token, options);
  page.on("pageerror", ({ message }) => complaints.push(message));
  page.on("console", (said) => {
    const lost = /net::ERR|Failed to load resource/.test(said.text()); // a console that was killed
    if (said.type() === "error" && !lost) complaints.push(said.text());
  });
  return page;
}

const row = (page: Page, node: string): Locator =>
  page.getByRole("row").filter({ hasText: new RegExp(`\\b${node}\\b`) });

const stateOf = async (balancer: string, node: string): Promise<string> => {
  const line = (await lab.balancer(balancer).ask("show servers state app"))
    .split("\n")
    .find((one) => one.includes(` ${node} `));
  return { 0: "ready", 1: "maint", 8: "drain" }[line?.split(" ")[6] ?? ""] ?? "other";
};

const untilState = (balancer: string, node: string, state: string): Promise<void> =>
  waitFor(`${node} to be ${state} at ${balancer}`, 15_000, async () => {
    const now = await stateOf(balancer, node);
    return now === state ? yes(undefined) : notYet(now);
  });

async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate((): Promise<axe.AxeResults> => Reflect.get(window, "axe").run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

/** As somebody without a mouse. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let i = 0; i < 60; i++) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error("the keyboard does not lead there");
}

/** When the row shows it, by the clock of this machine. */
const shows = (page: Page, node: string, text: string): Promise<number> =>
  page.evaluate(
    ([name = "", wanted = ""]) =>
      new Promise<number>((resolve) => {
        const look = (): void => {
          const rows = [...document.querySelectorAll("tbody tr")];
          if (rows.some((one) => one.textContent?.includes(name) && one.textContent.includes(wanted)))
            resolve(Date.now());
        };
        new MutationObserver(look).observe(document.body, {
          subtree: true,
          childList: true,
          characterData: true,
        });
        look();
      }),
    [node, text],
  );

test("a node is drained by keyboard alone; HAProxy has it out, the journal who did it, another console's phone shows it", async () => {
  const [page, elsewhere] = await Promise.all([
    open(first, ann),
    open(second, vic, { viewport: phone, isMobile: true, hasTouch: true }),
  ]);
  expect(await elsewhere.getByRole("button", { name: /Drain|Deploy|Rotate|Ready/ }).count()).toBe(0); // a viewer
  expect(await elsewhere.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
    phone.width,
  );

  await tabTo(page, page.getByLabel("choose web3"));
  await page.keyboard.press("Space");
  const drain = page.getByRole("button", { name: "Drain", exact: true });
  await page.keyboard.press("Shift+Tab");
  for (let i = 0; i < 60 && !(await drain.evaluate((one) => one === document.activeElement)); i++)
    await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Drain web3" });
  await dialog.waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  expect(await drain.evaluate((one) => one === document.activeElement)).toBe(true);
  await page.keyboard.press("Enter");
  await tabTo(page, dialog.getByLabel("Reason"));
  await page.keyboard.type(markup);
  await dialog.getByText("lb1/app: 3 of 3 serve now, 2 afterwards").waitFor();
  expect(await faultsOf(page)).toEqual([]);
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });

  await Promise.all(["lb1", "lb2"].map((balancer) => untilState(balancer, "web3", "drain")));
  for (const one of [page, elsewhere]) await row(one, "web3").getByText(`held by ann (console)`).waitFor();
  await row(elsewhere, "web3").getByText(markup).waitFor();
  expect(await faultsOf(elsewhere)).toEqual([]);
  const { stdout } = await runRota(lab, ["status", "-i", inventory], env);
  expect(stdout).toMatch(/held by ann \(console\) for /);

  // A change that nobody told rota of.
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const seen = shows(page, "web2", "MAINT");
    const began = Date.now();
    await lab.balancer("lb1").ask("set server app/web2 state maint");
    times.push((await seen) - began);
    await lab.balancer("lb1").ask("set server app/web2 state ready");
    await row(page, "web2").getByText("MAINT").waitFor({ state: "detached" });
  }
  console.info(`a change in HAProxy is on the page after ${times.join(", ")} ms`);
  expect(times.toSorted((a, b) => a - b)[2], "the median").toBeLessThan(500);
});

test("a balancer that is reloaded is told again, by one of the consoles", async () => {
  await lab.balancer("lb1").reload();
  expect(await stateOf("lb1", "web3")).not.toBe("other");
  await untilState("lb1", "web3", "drain");
  await waitFor("it to be written down", 5_000, async () => {
    const { stdout } = await runRota(lab, ["runs", "-i", inventory], env);
    return stdout.includes("tell again") ? yes(undefined) : notYet(stdout);
  });
});

test("a deploy from the page survives the browser and the console; the other one, and the next, show it to its end", async () => {
  const [page, stays, elsewhere] = await Promise.all([open(first, ann), open(first, ann), open(second, ann)]);
  await page.getByLabel("choose web3").check();
  await page.getByRole("button", { name: "Ready" }).click();
  await page.getByRole("dialog").getByLabel("RELEASE").fill("1"); // no deploy is known yet
  await page.getByRole("dialog").getByRole("button", { name: "Put back web3" }).click();
  await untilState("lb1", "web3", "ready");
  await row(page, "web3").getByText("held").waitFor({ state: "detached" });
  await page.getByText("ready run").or(page.getByText("done").first()).first().waitFor();
  await page.getByLabel("choose web3").uncheck();
  await waitFor("the lease to be free", 5_000, async () => {
    const { stdout } = await runRota(lab, ["status", "-i", inventory], env);
    return /changed|lease|under way/.test(stdout) ? notYet(stdout) : yes(undefined);
  });

  await page.getByRole("button", { name: "Deploy…" }).click();
  await page.getByLabel("RELEASE", { exact: true }).fill("2");
  await page.getByRole("dialog").getByText("serving meanwhile").first().waitFor();
  await page.getByRole("button", { name: "Deploy to the whole fleet" }).click();
  const panel = elsewhere.getByRole("region", { name: /deploy RELEASE=2/ });
  await panel.getByText("under way").waitFor();
  await panel
    .getByText(/web1 .*(check|restart|ready)/)
    .first()
    .waitFor();
  await page.context().close();
  await first.kill();
  await stays.getByText("not connected: what is shown may be old; trying again").waitFor();
  first = await startFirst();
  const next = await open(first, ann);
  const again = next.getByRole("region", { name: /deploy RELEASE=2/ });
  await again.waitFor();
  await elsewhere.reload();
  await Promise.all(
    [panel, again, stays.getByRole("region", { name: /deploy RELEASE=2/ })].map((one) =>
      one.getByText("done", { exact: true }).waitFor({ timeout: 40_000 }),
    ),
  );
  expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["2", "2", "2"]);
  await row(next, "web1").getByText("2", { exact: true }).waitFor(); // its release

  await next.getByRole("link", { name: "History" }).click();
  await next.getByRole("table").getByText("deploy RELEASE=2").waitFor();
  await next
    .getByRole("row", { name: /deploy RELEASE=2/ })
    .getByRole("link")
    .click();
  await next.getByLabel("What was printed on").selectOption("web1");
  await next.getByText(markup).first().waitFor(); // as text
  expect(await next.locator("img").count()).toBe(0);
  expect(await faultsOf(next)).toEqual([]);
  const url = next.url();
  await next.reload();
  expect(next.url()).toBe(url);
  await next.getByRole("img", { name: /^deploy: web1 back/ }).waitFor();
});

test("a run of a terminal is paused, gone on with and watched from the page, which looks well in the dark too", async () => {
  const page = await open(second, ann, { colorScheme: "dark" });
  const rota = startRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=3", "--json"], env);
  const panel = page.getByRole("region", { name: /deploy RELEASE=3/ });
  await panel.getByText("under way").waitFor();
  await panel.getByRole("button", { name: "Pause after this node" }).click();
  const pause = page.getByRole("dialog", { name: "Pause after this node" });
  await pause.getByText(/then \d nodes? more wait until somebody goes on/).waitFor();
  await pause.getByRole("button", { name: "Pause after this node" }).click();
  await panel.getByText("paused by ann (console)").waitFor();
  await waitFor("it to wait", 15_000, async () =>
    rota.stdout().includes('"paused') || rota.stdout().includes("paused")
      ? yes(undefined)
      : notYet(rota.stdout().slice(-300)),
  );
  expect(await faultsOf(page)).toEqual([]);
  await panel.getByRole("button", { name: "Go on" }).click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: /Go on with run/ })
    .click();
  expect((await rota.ended).code).toBe(0);
  await panel.getByText("done", { exact: true }).waitFor();
});

test("what is wrong is told on the page: a deploy that fails, and how it is closed", async () => {
  const page = await open(second, ann);
  const words = ["deploy", "web1", "-i", inventory, "--set", "RELEASE=broken-import"];
  const { code } = await runRota(lab, words, env);
  expect(code).toBe(1);
  const panel = page.getByRole("region", { name: /deploy RELEASE=broken-import/ });
  await panel.getByText("failed", { exact: true }).waitFor();
  await panel.getByRole("button", { name: "Abort" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("stays out, and is held, unless it is proven: web1").waitFor();
  await dialog.getByRole("button", { name: /Abort run/ }).click();
  await row(page, "web1").getByText("held by ann (console)").waitFor();
  await panel.getByText("aborted", { exact: true }).waitFor();
});

test("metrics are what Prometheus reads, from the console and as a file after each run; health is for everybody", async () => {
  const response = await fetch(`${first.url}/metrics`, { headers: { authorization: `Bearer ${vic}` } });
  const text = await response.text();
  expect(text).toMatch(/rota_runs_total\{fleet="lab",command="deploy",outcome="done"\} [1-9]/);
  expect(text).toMatch(/rota_step_seconds_sum\{fleet="lab",step="settle"\} [\d.]+/);
  expect(text).toMatch(/rota_backend_serving\{fleet="lab",place="lb1\/app"\} 2/);
  const check = (input: string): string =>
    execFileSync("promtool", ["check", "metrics"], { input, encoding: "utf8" });
  expect(check(text)).toBe("");
  expect(check(readFileSync(join(lab.folder, "rota.prom"), "utf8"))).toBe("");
  expect(await (await fetch(`${first.url}/healthz`)).json()).toEqual({ ok: true });
});

test("a token that is removed is out, on the page too; the sign-in page has no fault, and takes the next token", async () => {
  const page = await open(second, vic);
  await runRota(lab, ["token", "remove", "vic"], env);
  await page.getByLabel("Your token").waitFor({ timeout: 20_000 });
  expect(await faultsOf(page)).toEqual([]);
  await page.getByLabel("Your token").fill("rota_wrong");
  await page.keyboard.press("Enter");
  await page.getByText("this token is not known").waitFor();
  await page.getByLabel("Your token").fill(ann);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Nodes" }).waitFor();
  expect(page.url()).not.toContain("rota_");
  expect(await page.evaluate(() => document.cookie)).toBe(""); // no script reads it
});

test("hostile names and huge texts are shown as text, and break nothing", async () => {
  const long = "x".repeat(256);
  const nodes = [
    nodeView(markup, { pool: markup, note: markup, release: markup, entries: [[0, markup, 1, 1, 1, 0]] }),
    nodeView(long, { note: `${long} `.repeat(100), tone: `bad" onclick="x` }),
    nodeView("__proto__", { note: "\u202egnorw" }),
  ];
  const steps = [
    {
      step: "check" as const,
      started: "2026-11-27T00:00:00Z",
      ended: undefined,
      ok: undefined,
      why: undefined,
    },
  ];
  const run = runView({
    by: markup,
    reason: markup,
    set: { [markup]: markup },
    message: markup,
    nodes: nodes.map(({ name }) => ({ name, steps, saw: markup, end: undefined, why: markup })),
  });
  const fleet = fleetView(nodes, { places: [markup], alerts: [{ tone: "bad", text: `${markup}${long}` }] });
  await using feed = startFeed(
    {
      look: async () => ({ fleet, run }),
      begun: () => [
        { id: "1", by: markup, what: markup, at: "", code: 1, problem: markup, left: markup, next: markup },
      ],
    },
    systemClock,
  );
  const parts = fakeParts({ feed, page: pageFiles(), about: { fleet: markup, needs: [markup] } });
  await using served = await serveConsole(parts, { host: "127.0.0.1", port: 0 });
  for (const options of [{}, { viewport: phone }]) {
    const page = await open(served, tokens.ann, options);
    await row(page, "__proto__").waitFor();
    await page.getByRole("button", { name: "Deploy…" }).click();
    await page.getByRole("dialog").waitFor();
    expect(await page.locator("img, script:not([src])").count()).toBe(0);
    expect(await page.title()).toBe(`${markup} · rota`);
    expect(await page.locator("[onclick], [onerror]").count()).toBe(0);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wide).toBeLessThanOrEqual(0);
    await page.context().close();
  }
});

test("it speaks TLS itself, and then its cookie goes over nothing else", async () => {
  const [key, cert] = [join(lab.folder, "key.pem"), join(lab.folder, "cert.pem")];
  await promisify(execFile)("openssl", [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "1",
    "-subj",
    "/CN=localhost",
    "-keyout",
    key,
    "-out",
    cert,
  ]);
  await using served = await consoleOf(lab, inventory, env, ["--tls-cert", cert, "--tls-key", key]);
  expect(served.url).toMatch(/^https:/);
  const page = await open(served, ann, { ignoreHTTPSErrors: true });
  const [cookie] = await page.context().cookies();
  expect(cookie).toMatchObject({ name: "rota_token", secure: true, httpOnly: true, sameSite: "Strict" });
  writeFileSync(cert, "no certificate");
  const { code, stderr } = await runRota(
    lab,
    ["console", "-i", inventory, "--tls-cert", cert, "--tls-key", key],
    env,
  );
  expect([code, stderr]).toEqual([2, expect.stringContaining("are no certificate and its key")]);
});

test("no browser complained of anything", () => expect(complaints).toEqual([]));

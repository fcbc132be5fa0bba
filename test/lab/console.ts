import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { type Browser, type Page, chromium } from "playwright-core";
import { notYet, yes } from "../../src/base/poll.ts";
import type { Lab } from "./lab.ts";
import { envOf, runRota } from "./rota.ts";
import { waitFor } from "./wait.ts";

/** `rota console`, as a service runs it. */
export interface LabConsole extends AsyncDisposable {
  url: string;
  child: ChildProcess;
  said: () => string;
  /** As a crash does. */
  kill(): Promise<void>;
}

const program = join(import.meta.dirname, "../../scripts/rota");

export async function startConsole(
  lab: Pick<Lab, "folder">,
  words: string[],
  env: Record<string, string> = {},
): Promise<LabConsole> {
  const child = spawn(program, ["console", "--listen", "127.0.0.1:0", ...words], {
    cwd: lab.folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (said += text));
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const url = await waitFor("the console to listen", 20_000, async () => {
    const found = /https?:\/\/[\d.]+:\d+/.exec(said)?.[0];
    return found ? yes(found) : notYet(said);
  });
  const end = (signal: NodeJS.Signals) => async (): Promise<void> => {
    child.kill(signal);
    await gone;
  };
  return { url, child, said: () => said, kill: end("SIGKILL"), [Symbol.asyncDispose]: end("SIGTERM") };
}

/** On the lab's own journal. */
export const consoleOf = (
  lab: Lab,
  inventory: string,
  env: Record<string, string> = {},
  words: string[] = [],
): Promise<LabConsole> =>
  startConsole(lab, ["-i", inventory, ...words], { ...stringsOf(envOf(lab)), ...env });

const stringsOf = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );

export async function tokenFor(
  lab: Lab,
  name: string,
  role: string,
  env: Record<string, string> = {},
): Promise<string> {
  const { stdout } = await runRota(lab, ["token", "add", name, "--role", role], env);
  return stdout.trim();
}

const executablePath = "/usr/bin/chromium";

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });

export const phone = { width: 390, height: 844 };

/** A browser of its own, signed in by the token in the address. */
export async function openPage(
  browser: Browser,
  { url }: Pick<LabConsole, "url">,
  token: string,
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<Page> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(`${url}/#token=${token}`);
  await page.getByRole("heading", { name: "Nodes" }).waitFor();
  return page;
}

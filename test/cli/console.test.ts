/** `rota console` as it is begun: from a terminal, and without one. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import { waitFor } from "../lab/wait.ts";

const rota = join(import.meta.dirname, "../../scripts/rota");
execFileSync(rota, ["--version"]); // builds, if it must

const folder = mkdtempSync(join(tmpdir(), "rota-console-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const inventory = join(folder, "shop.yml");
writeFileSync(
  inventory,
  `fleet: shop
balancers: { lb1: "unix:/nowhere/a.sock" }
pools:
  web: { nodes: { web1: 10.0.0.1 }, needs: [RELEASE], restart: { via: none }, check: { url: "http://{host}/" } }
`,
);
const env = { ...process.env, ROTA_JOURNAL: `sqlite:${join(folder, "journal.db")}`, ROTA_BY: "ann@desk" };
const words = ["console", "-i", inventory, "--listen", "127.0.0.1:0"];

function started(
  program: string,
  args: string[],
): { child: ChildProcess; said: () => string; ended: Promise<unknown[]> } {
  const child = spawn(program, args, { env, cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (said += text));
  return { child, said: () => said, ended: once(child, "close") };
}

const ask = (url: string, path: string, token: string): Promise<Response> =>
  fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });

test("without a terminal somebody must have a token first; with one, whoever began it is let in by the address, for its time only", async () => {
  const refused = started(rota, words);
  expect((await refused.ended)[0]).toBe(2);
  expect(refused.said()).toMatch(/nobody has a token for the console yet\n.*\n {2}next: {2}rota token add/);

  // script(1) gives it a terminal.
  const { child, said, ended } = started("script", ["-qfec", [rota, ...words].join(" "), "/dev/null"]);
  const [, url = "", token = ""] = await waitFor("its address", 15_000, async () => {
    if (!said().includes("rota token add NAME")) return notYet(said());
    const found = /(http:\/\/127\.0\.0\.1:\d+)\/#token=([\w-]+)/.exec(said());
    return found ? yes([...found]) : notYet(said());
  });
  expect(said()).toContain("this address lets in whoever has it, until the console ends");
  expect(await (await ask(url, "/api/me", token)).json()).toEqual({
    name: "ann@desk",
    role: "operator",
    fleet: "shop",
    needs: ["RELEASE"],
  });
  expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ ok: true });
  child.kill("SIGTERM"); // which script(1) hands on
  await ended;
  expect(execFileSync(rota, ["token", "list"], { env, encoding: "utf8" })).toBe("nobody has a token yet\n");
});

test("tokens are made, listed without themselves, and removed", () => {
  const run = (...args: string[]): string =>
    execFileSync(rota, ["token", ...args], { env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const token = run("add", "bob", "--role", "operator").trim();
  expect(token).toMatch(/^rota_[\w-]{43}$/);
  expect(run("list")).toMatch(/bob +operator/);
  expect(run("list", "--json")).not.toContain(token);
  expect(readFileSync(join(folder, "journal.db")).includes(token)).toBe(false);
  expect(run("remove", "bob")).toBe("bob has no token any more\n");
  expect(() => run("remove", "bob")).toThrow();
  expect(() => run("add", "bob smith")).toThrow();
  expect(() => run("add", "bob", "--role", "root")).toThrow();
});

test.each([
  [["--listen", "7682"], "write an address and a port"],
  [["--listen", "127.0.0.1:99999"], "write an address and a port"],
  [["--tls-cert", "cert.pem"], "--tls-cert and --tls-key go together"],
  [["--tls-cert", "none.pem", "--tls-key", "none.pem"], "none.pem can't be read"],
])("%j is told as wrong", async (more, message) => {
  const { ended, said } = started(rota, [...words, ...more]);
  expect((await ended)[0]).toBe(2);
  expect(said()).toContain(message);
});

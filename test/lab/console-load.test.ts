/** What the console costs: 200 pages on a fleet of 500 nodes. */
import { writeFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { expect, test } from "vitest";
import { yes, notYet } from "../../src/base/poll.ts";
import { hashOf, newToken } from "../../src/console/people.ts";
import { openJournal } from "../../src/journal/open.ts";
import { type FakeHaproxy, fakeHaproxy } from "../fakes/haproxy.ts";
import { startConsole } from "./console.ts";
import { waitFor } from "./wait.ts";

const isFull = process.env["CHAOS"] === "full";
const [nodes, pages, seconds] = isFull ? [500, 200, 30] : [500, 50, 5];

test(`${pages} pages watch ${nodes} nodes: one question a balancer a second, under a tenth of a core`, async () => {
  const folder = await mkdtemp(join(tmpdir(), "rota-many-"));
  const names = Array.from({ length: nodes }, (_, i) => `web${i + 1}`);
  await using lb1 = await fakeHaproxy({ backends: { app: names }, autoCheck: false });
  await using lb2 = await fakeHaproxy({ backends: { app: names }, kind: "tcp", autoCheck: false });
  const balancers = [lb1, lb2];
  const inventory = join(folder, "many.yml");
  await writeFile(inventory, stringify(fleetOf(names, balancers)));
  const env = { ROTA_JOURNAL: `sqlite:${join(folder, "journal.db")}` };
  const token = newToken();
  {
    await using journal = await openJournal(env);
    await journal.keepToken({ name: "vic", role: "viewer", hash: hashOf(token) });
  }
  await using served = await startConsole({ folder }, ["-i", inventory], env);
  const heard = await watchers(served.url, token);
  const cpuNow = async (): Promise<number> => {
    const stat = (await readFile(`/proc/${served.child.pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
    return (Number(stat[11]) + Number(stat[12])) * 10; // ticks of 10 ms
  };
  // Every node has traffic: its numbers are others each second.
  const traffic = setInterval(() => {
    for (const server of balancers.flatMap((balancer) => balancer.servers())) {
      server.sessions = Math.floor(Math.random() * 20);
      server.rate = Math.floor(Math.random() * 100);
    }
  }, 250);
  await new Promise((resolve) => setTimeout(resolve, isFull ? 6_000 : 4_000)); // a program that begins costs more
  const [cpu, asked, bytes, began] = [await cpuNow(), lb1.lines.length, heard.bytes(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const took = performance.now() - began;
  const core = ((await cpuNow()) - cpu) / took;
  const questions = ((lb1.lines.length - asked) / took) * 1_000;
  clearInterval(traffic);
  heard.end();
  console.info(
    `${nodes} nodes, ${pages} pages: ${(core * 100).toFixed(1)} % of a core, ${questions.toFixed(2)} questions a balancer a second, ` +
      `${Math.round((((heard.bytes() - bytes) / took) * 1_000) / pages / 1_000)} kB/s a page`,
  );
  await rm(folder, { recursive: true, force: true });
  expect(questions).toBeLessThan(1.1);
  expect(questions).toBeGreaterThan(0.1);
  expect(core).toBeLessThan(0.1);
});

const fleetOf = (names: string[], balancers: FakeHaproxy[]) => ({
  fleet: "many",
  balancers: Object.fromEntries(
    balancers.map(({ address }, i) => [
      `lb${i + 1}`,
      address.kind === "unix" ? `unix:${address.path}` : `tcp://${address.host}:${address.port}`,
    ]),
  ),
  pools: {
    web: {
      nodes: Object.fromEntries(names.map((name) => [name, "127.0.0.1"])),
      restart: { via: "none" },
      check: { url: "http://{host}/" },
    },
  },
});

/** Pages that read. */
async function watchers(url: string, token: string): Promise<{ bytes: () => number; end: () => void }> {
  let [bytes, open] = [0, 0];
  const asked = Array.from({ length: pages }, () =>
    get(`${url}/api/live`, { headers: { authorization: `Bearer ${token}` } }, (response) => {
      open += 1;
      response.on("data", (some: Buffer) => (bytes += some.length));
      response.on("error", () => undefined);
    }).on("error", () => undefined),
  );
  await waitFor("all pages to be there", 20_000, async () =>
    open === pages ? yes(undefined) : notYet(`${open}`),
  );
  return { bytes: () => bytes, end: () => asked.forEach((one) => one.destroy()) };
}

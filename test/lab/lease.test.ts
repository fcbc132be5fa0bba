import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import { startLab, type Lab } from "./lab.ts";
import { runRota, startRota } from "./rota.ts";
import { waitFor } from "./wait.ts";

const releasesOf = (lab: Lab): Promise<(string | undefined)[]> =>
  Promise.all(lab.nodes.map((node) => node.release()));

test("whoever waits for the lease gets it when the other is done", async () => {
  await using lab = await startLab({ bootSeconds: 0, nodes: 2, workers: 1 });
  const inventory = await lab.inventory();
  const first = startRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=2"]);
  await waitFor("the first to begin", 20_000, async () =>
    first.stderr().includes("batch 1") ? yes(undefined) : notYet(first.stderr()),
  );
  const second = await runRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=3", "--wait", "1m"]);
  expect((await first.ended).code).toBe(0);
  expect(second.code, second.stderr).toBe(0);
  expect(second.stderr).toContain("waiting for the lease of lab: ");
  expect(await releasesOf(lab)).toEqual(["3", "3"]);
});

test("a holder that stood still and lost its lease does nothing more when it goes on", async () => {
  await using lab = await startLab({ bootSeconds: 1, nodes: 2, workers: 1 });
  const inventory = await lab.inventory();
  const first = startRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=2"]);
  await waitFor("web1 to be restarted", 20_000, async () =>
    first.stderr().includes("web1 upgrade done") ? yes(undefined) : notYet(first.stderr()),
  );
  // While the app restarts: in the middle of a write, a stopped process would keep SQLite's lock from everybody.
  await wait(400);
  first.child.kill("SIGSTOP");
  const held = await runRota(lab, ["status", "-i", inventory]);
  expect(held.stdout).toMatch(/\nbeing changed by \S+ \(pid \d+ on \S+\), rota deploy, for /);
  expect((await runRota(lab, ["unlock", "-i", inventory])).code).toBe(2); // needs --yes without a terminal
  expect((await runRota(lab, ["unlock", "-i", inventory, "--yes"])).code).toBe(0);
  const second = await runRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=3"]);
  expect(second.code, second.stderr).toBe(0);
  expect(second.stderr).toMatch(/web1 was left out by run \w+; goes first/);
  const before = await statesOf(lab);
  first.child.kill("SIGCONT");
  const { code, stderr } = await first.ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /the lease of lab was ended, or is somebody else's now|the lease went to somebody else/,
  );
  expect(await statesOf(lab)).toBe(before);
  expect(await releasesOf(lab)).toEqual(["3", "3"]);
});

test("a deploy whose machine died is seen, and its node is the first of the next deploy", async () => {
  await using lab = await startLab({ bootSeconds: 0.5, nodes: 3, workers: 1 });
  const inventory = await lab.inventory();
  const first = startRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=2"]);
  await waitFor("web1 to be out", 20_000, async () =>
    first.stderr().includes("web1 upgrade done") ? yes(undefined) : notYet(first.stderr()),
  );
  first.child.kill("SIGKILL");
  await first.ended;
  const { stdout } = await runRota(lab, ["status", "-i", inventory]);
  expect(stdout).toMatch(/\n◌ web1 .* left out by run \w+ \(\S+\) \S+ ago/);
  // The lease of a process that is gone is not waited for.
  const second = await runRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=2", "--json"]);
  expect(second.code, second.stderr).toBe(0);
  const batches = second.events.flatMap((event) => (event.type === "batch started" ? [event.nodes] : []));
  expect(batches).toEqual([["web1"], ["web2"], ["web3"]]);
  await lab.untilAllInRotation();
});

/** What both balancers show of every node, without their counters. */
const statesOf = async (lab: Lab): Promise<string> => {
  const answers = await Promise.all(lab.balancers.map((balancer) => balancer.ask("show servers state app")));
  const columns = (line: string): string => line.split(" ").slice(1, 8).join(" ");
  return answers.join("\n").split("\n").map(columns).join("\n");
};

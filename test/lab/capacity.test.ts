import { expect, test } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import { reportCase } from "./cases.ts";
import { startLab, type Lab } from "./lab.ts";
import { type Rota, runRota, startRota } from "./rota.ts";
import { waitFor } from "./wait.ts";

const onAll = (lab: Lab, line: string) => Promise.all(lab.balancers.map((balancer) => balancer.ask(line)));

const untilSaid = (rota: Rota, text: string): Promise<void> =>
  waitFor(`rota to say ${text}`, 60_000, async () =>
    rota.stdout().includes(text) ? yes(undefined) : notYet(rota.stdout().slice(-200)),
  );

test("a server that a person drains in mid-run is waited for, named, and its weight counts", async ({
  task,
}) => {
  reportCase(task, "a person drains a server during a deploy, which then waits and goes on by itself");
  await using lab = await startLab({ bootSeconds: 0.2, workers: 1, checkInterMs: 200 });
  await onAll(lab, "set server app/web4 weight 3");
  const inventory = await lab.inventory({ rollout: { min_serving: "50%" } });
  const words = ["deploy", "web1", "web2", "-i", inventory, "--set", "RELEASE=2", "--json"];
  const rota = startRota(lab, words);
  await untilSaid(rota, '"node":"web1","step":"check"');
  await lab.balancer("lb1").ask("set server app/web4 state drain");
  // Of servers 3 of 4 serve, and 2 would be enough.
  const lack =
    "lb1/app: weight 3 of 6 serves, 3 must stay, and 1 would leave (out: web4 DRAIN, by somebody else); goes on by itself";
  await untilSaid(rota, lack);
  expect(await lab.balancer("lb1").ask("show servers state app")).toMatch(/ web2 \S+ 2 0 /);
  await lab.balancer("lb1").ask("set server app/web4 state ready");
  const { code, stderr } = await rota.ended;
  expect(code, stderr).toBe(0);
  expect(await lab.node("web2").release()).toBe("2");
});

test("what differs between the inventory and two HAProxies is told before a deploy", async () => {
  await using lab = await startLab({ bootSeconds: 0.2, workers: 1, nodes: 3, checkInterMs: 200 });
  const inventory = await lab.inventory();
  const [web1, web2] = [lab.node("web1"), lab.node("web2")];
  const drift = async (): Promise<string[]> => {
    const { code, stdout, stderr } = await runRota(lab, ["plan", "-i", inventory, "--json"]);
    expect(code, stderr).toBe(0);
    const told: { drift: { text: string }[] } = JSON.parse(stdout);
    return told.drift.map(({ text }) => text);
  };
  expect(await drift()).toEqual([]);
  await lab.balancer("lb2").ask("set server app/web3 weight 2");
  await lab.balancer("lb1").ask(`set server app/web1 addr ${web2.host} port ${web2.appPort}`);
  const at2 = `${web2.host}:${web2.appPort}`;
  expect(await drift()).toEqual([
    `web1 (${at2}) is lb1/app/web2 too, which rota does not drain: requests still reach it there`,
    `web2 (${at2}) is lb1/app/web1 too, which rota does not drain: requests still reach it there`,
    `web1 is ${web1.host} in the inventory, and ${at2} on lb1/app`,
    "web3 weighs 1 on lb1/app; 2 on lb2/app",
  ]);
});

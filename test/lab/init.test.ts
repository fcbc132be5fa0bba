import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadInventory } from "../../src/inventory/load.ts";
import { startLab } from "./lab.ts";
import { runRota } from "./rota.ts";

test("what init writes about running HAProxies, through SSH and a jump host, is planned as it is, and deploys nothing before it is filled in", async () => {
  await using lab = await startLab({
    nodes: 4,
    workers: 1,
    bootSeconds: 0,
    backends: ["app", "admin"],
    through: "jump",
  });
  await lab.balancer("lb2").ask("set server app/web3 state maint");
  const sockets = lab.balancers.flatMap(({ name, adminSocket }, i) => {
    const gate = lab.gates[i];
    return gate ? ["--socket", `${name}=ssh://${gate.host}:${gate.port}${adminSocket}`] : [];
  });
  const login = [
    "--identity",
    lab.identity,
    "--known-hosts",
    lab.knownHosts,
    "--jump",
    `${lab.jump?.host}:${lab.jump?.port}`,
  ];
  const made = await runRota(lab, ["init", ...sockets, ...login, "--fleet", "shop", "-o", "shop.yml"]);
  expect(made).toMatchObject({ code: 0, stdout: "" });

  const file = join(lab.folder, "shop.yml");
  const { balancers, pools } = loadInventory(file);
  expect(balancers.map(({ name, socket }) => [name, socket.kind])).toEqual([
    ["lb1", "ssh"],
    ["lb2", "ssh"],
  ]);
  expect(pools.map(({ name, nodes }) => [name, ...nodes.map((node) => `${node.name} ${node.host}`)])).toEqual(
    [["app-admin", ...lab.nodes.map(({ name, host }) => `${name} ${host}`)]],
  );
  expect(pools[0]?.check).toMatchObject({ url: `http://{host}:${lab.node("web1").appPort}/`, status: 200 });
  const text = await readFile(file, "utf8");
  expect(text).toContain("nodes:\n      web[1:4]: ");
  expect(text).toContain("over HTTP, and got 200");
  expect(text).toContain("# - web3: MAINT on lb2/app\n");

  const { adminSocket, operatorSocket } = lab.balancer("lb1");
  const twice = await runRota(lab, [
    "init",
    "--socket",
    `unix:${adminSocket}`,
    "--socket",
    `unix:${operatorSocket}`,
  ]);
  expect(twice.stdout).toContain("PROBLEM: this socket gives the level operator");
  expect(twice.stdout).toContain("PROBLEM: it seems to be the same HAProxy as lb1");

  const planned = await runRota(lab, ["plan", "-i", file]);
  expect(planned.code, planned.stderr).toBe(0);
  expect(planned.stdout).toMatch(/^app-admin: 3 of 4 nodes in 3 batches$/m);

  await writeFile(file, text.replace("ssh:\n", `ssh:\n  port: ${lab.node("web1").sshPort}\n`));
  const deployed = await runRota(lab, ["deploy", "-i", file, "--yes"]);
  expect(deployed.code, deployed.stderr).toBe(3);
  expect(deployed.stderr).toContain("FILL_IN");
  expect(await lab.balancer("lb1").ask("show servers state app")).not.toMatch(/ web\d \S+ \d [1-9]/);
});

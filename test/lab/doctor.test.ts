import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exchange } from "../../src/balancer/exchange.ts";
import { notYet, yes } from "../../src/base/poll.ts";
import type { Finding } from "../../src/doctor/findings.ts";
import type { LabBalancer } from "./balancer.ts";
import { signal } from "./family.ts";
import { type Lab, startLab } from "./lab.ts";
import { runRota } from "./rota.ts";
import { waitFor } from "./wait.ts";

/** "bad host-key web1" of all that is not ok. */
async function diagnose(lab: Lab, inventory: string): Promise<{ code: number | null; told: string[] }> {
  const { code, stdout, stderr } = await runRota(lab, ["doctor", "-i", inventory, "--json"]);
  expect(stderr).toBe("");
  const { findings }: { findings: Finding[] } = JSON.parse(stdout);
  const told = findings.filter(({ verdict }) => verdict !== "ok");
  return { code, told: told.map(({ verdict, code: what, on }) => `${verdict} ${what} ${on}`).toSorted() };
}

test("doctor on real HAProxies and sshds: what is well is ok, and each planted fault is found", async () => {
  await using lab = await startLab({ balancers: 2, nodes: 3, bootSeconds: 0 });
  const [lb1, lb2] = [lab.balancer("lb1"), lab.balancer("lb2")];
  await keepStates(lb1, lab.folder);
  const master = (one: LabBalancer): string => `unix:${one.masterSocket}`;
  const clean = await lab.inventory();
  expect(await diagnose(lab, clean)).toEqual({ code: 0, told: ["unseen balancer-config lb2"] }); // it is on TCP

  await change(lb1, (text) =>
    text
      .replace("option redispatch", "")
      .replace(/(server web1 \S+) check/, "$1")
      .replace("inter 500ms", "inter 20s"),
  );
  const [, web2] = lab.nodes;
  const known = join(lab.folder, "other_hosts");
  const { host, sshPort } = web2 ?? { host: "", sshPort: 0 };
  const wrong = await readFile(`${lab.identity}.pub`, "utf8");
  await writeFile(known, `[${host}]:${sshPort} ${wrong}`);
  const inventory = await lab.inventory(
    {
      // Not a sick app: a HAProxy that has not checked it yet would disagree with the other one.
      check: { body: '"release": "{EXPECTED}"' },
      vars: { EXPECTED: "1" },
      nodes: { web2: { ssh: { known_hosts: known } }, web3: { vars: { EXPECTED: "2" } } },
    },
    { balancers: { lb2: { socket: `unix:${lb2.operatorSocket}`, master: master(lb2) } } },
  );
  await failToReload(lb2);
  expect(await diagnose(lab, inventory)).toEqual({
    code: 3,
    told: [
      "bad balancer-level lb2",
      "bad host-key web2",
      "bad page web3",
      "unseen balancer-config lb2", // its file is not what runs
      "warn backend-checks lb1/app",
      "warn backend-inter lb1/app",
      "warn backend-redispatch lb1/app",
      "warn balancer-failed-reload lb2",
    ],
  });
});

/** Its configuration is one that does not start; what runs, runs on. */
async function failToReload({ configFile, pid, masterSocket }: LabBalancer): Promise<void> {
  await writeFile(configFile, `${await readFile(configFile, "utf8")}\nnonsense\n`);
  signal(pid, "SIGUSR2");
  const within = { connect: 1_000, reply: 1_000 };
  const failed = async (): Promise<boolean> => {
    const [answer = ""] = await exchange({ kind: "unix", path: masterSocket }, "show proc", 1, within).catch(
      () => [],
    );
    return answer.includes("[failed: 1]");
  };
  await waitFor("the reload to fail", 10_000, async () =>
    (await failed()) ? yes(undefined) : notYet("not yet"),
  );
}

async function change(balancer: LabBalancer, edit: (text: string) => string): Promise<void> {
  const { configFile } = balancer;
  await writeFile(configFile, edit(await readFile(configFile, "utf8")));
  await balancer.reload();
}

const keepStates = (balancer: LabBalancer, folder: string): Promise<void> =>
  change(balancer, (text) =>
    text
      .replace("global\n", `global\n  server-state-file ${join(folder, "states")}\n`)
      .replace("defaults\n", "defaults\n  load-server-state-from-file global\n"),
  );

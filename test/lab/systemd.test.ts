import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Lab, startLab } from "./lab.ts";
import { startLoad } from "./load.ts";
import { type Ended, runRota } from "./rota.ts";
import { needsRoot, sudoPassword } from "./systemd.ts";

const bySystemd = {
  restart: { via: "systemd", unit: "my_app", run: undefined },
  vars: { TOKEN: { env: "LAB_TOKEN", secret: true } },
};
const asDeploy = { ssh: { user: "deploy", sudo: true } };
const token = "hunter2-hunter2-hunter2";

const deploy = (lab: Lab, inventory: string, release: string, ...words: string[]): Promise<Ended> =>
  runRota(lab, ["deploy", "-i", inventory, "--set", `RELEASE=${release}`, "--yes", ...words], {
    LAB_TOKEN: token,
  });

test.skipIf(needsRoot)(
  "units are restarted by sudo under load: proven, no request lost, and no process list shows a secret",
  { timeout: 120_000 },
  async () => {
    await using lab = await startLab({ nodes: 2, systemd: { sudo: "nothing" } });
    const upgrade = 'cd "$NODE_HOME" && ./switch-release "$RELEASE" && [ "$TOKEN" = "$(cat token)" ]';
    const inventory = await lab.inventory({ ...bySystemd, upgrade: `${upgrade} && sleep 0.5` }, asDeploy);
    for (const { folder } of lab.nodes) await writeFile(join(folder, "token"), token);
    await using load = await startLoad({ urls: lab.balancers.map(({ url }) => url), maxSeconds: 100 });
    await using seen = watchProcesses();
    const { code, stdout, stderr } = await deploy(lab, inventory, "2", "--json");
    expect(code, stderr).toBe(0);
    expect(await Promise.all(lab.nodes.map((node) => node.release()))).toEqual(["2", "2"]);
    const report = await load.stop();
    expect(report).toMatchObject({ lost: 0, examples: [] });
    expect(report.sent).toBeGreaterThan(200);
    const lists = seen.all();
    expect(lists).toContain("sleep 0.5"); // the upgrade was seen at work
    expect(lists).not.toContain(token);
    expect(stdout).not.toContain(token);
    expect((await readFile(join(lab.folder, "journal.db"))).includes(token)).toBe(false);
  },
);

/** Every process of this machine, looked at again and again. */
function watchProcesses(): { all(): string } & AsyncDisposable {
  const lists = new Set<string>();
  const timer = setInterval(() => {
    const list = execFileSync("ps", ["-eww", "-o", "args="], { encoding: "utf8" });
    for (const line of list.split("\n")) lists.add(line);
  }, 50);
  return {
    all: () => [...lists].join("\n"),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
    },
  };
}

test.skipIf(needsRoot)(
  "what systemd knows of a release that does not boot is shown; a unit that is not there is refused before its node leaves",
  { timeout: 120_000 },
  async () => {
    await using lab = await startLab({
      nodes: 2,
      balancers: 1,
      systemd: { sudo: "password" },
    });
    const withPassword = { ssh: { user: "deploy", sudo: "password" } };
    const env = { LAB_TOKEN: token };
    const missing = await lab.inventory(
      { restart: { via: "systemd", unit: "my_ap", run: undefined } },
      withPassword,
    );
    const words = ["--set", "RELEASE=2", "--yes"];

    const wrong = await runRota(lab, ["deploy", "-i", missing, ...words], {
      ...env,
      ROTA_SUDO_PASSWORD: "guess",
    });
    expect(wrong.code, wrong.stderr).toBe(3);
    expect(wrong.stderr).toMatch(/deploy may not use sudo on web1: .*(Sorry|incorrect)/);
    const none = await runRota(lab, ["deploy", "-i", missing, ...words], env);
    expect(none.code, none.stderr).toBe(2);
    expect(none.stderr).toContain("$ROTA_SUDO_PASSWORD");

    const right = { ...env, ROTA_SUDO_PASSWORD: sudoPassword };
    const unfit = await runRota(lab, ["deploy", "-i", missing, ...words], right);
    expect(unfit.stderr).toContain("there is no unit my_ap");
    expect(unfit.stderr).toContain("web1 is as it was found");
    await lab.untilAllInRotation();

    const upgrade =
      'cd "$NODE_HOME" && ./switch-release "$RELEASE" && echo "raise RuntimeError(\'no database\')" > current/app.py';
    const inventory = await lab.inventory({ ...bySystemd, upgrade, check: { within: "4s" } }, withPassword);
    const broken = await runRota(lab, ["deploy", "-i", inventory, ...words], right);
    expect(broken.code, broken.stderr).toBe(1);
    expect(broken.stderr).toContain("the last lines of my_app in the journal of systemd");
    expect(broken.stderr).toMatch(/gunicorn\[\d+\]: /);
    expect(broken.stderr).toContain("web1 is out of rotation");
    expect(await lab.node("web2").release()).toBe("1");
  },
);

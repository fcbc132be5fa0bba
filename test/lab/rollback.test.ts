/** A broken release on real parts, under load: stopped at the first node, and rolled back by rota itself. */
import { expect, test } from "vitest";
import { startLab } from "./lab.ts";
import { startLoad } from "./load.ts";
import { runRota } from "./rota.ts";

// In short with systemd units in release.test.ts.
test.runIf(process.env["CHAOS"] === "full")(
  "a release that starts and answers 500 is stopped at the first node and rolled back; no request is lost",
  async () => {
    await using lab = await startLab({ nodes: 2, bootSeconds: 0 });
    const inventory = await lab.inventory({
      check: { within: "2s" },
      rollout: { on_failure: "rollback" },
      hooks: { after_node: { here: 'echo "$ROTA_COMMAND $ROTA_NODE $ROTA_OUTCOME"' } },
    });
    const deploy = (release: string) =>
      runRota(lab, ["deploy", "-i", inventory, "--set", `RELEASE=${release}`, "--json"]);
    await using load = await startLoad({ urls: lab.balancers.map(({ url }) => url) });
    const good = await deploy("2");
    expect(good.code, good.stderr).toBe(0);

    const bad = await deploy("sick");
    expect(bad.code, bad.stderr).toBe(1);
    expect(bad.stderr).toMatch(/run \w+ failed, and is rolled back by run \w+/);
    const hooked = bad.events.flatMap((event) => (event.type === "hook output" ? [event.text] : []));
    expect(hooked).toEqual(["deploy web1 failed", "rollback web1 done"]);
    await Promise.all(lab.nodes.map((node) => node.untilServes("2")));
    await lab.untilAllInRotation();
    const report = await load.stop();
    expect(report).toMatchObject({ lost: 0, examples: [] });
  },
);

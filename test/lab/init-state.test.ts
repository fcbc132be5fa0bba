/** With which health a server leaves maint: HAProxy's `init-state`, of 3.2 and later. */
import { expect, test } from "vitest";
import { reportCase } from "./cases.ts";
import { haproxyIsAtLeast } from "./haproxy-binary.ts";
import { startLab } from "./lab.ts";
import { startLoad } from "./load.ts";
import { runRota } from "./rota.ts";

const has = haproxyIsAtLeast(3, 2);
const optionsOf = (state: string) => (state === "none" ? {} : { serverOptions: `init-state ${state}` });
const named = (state: string): string => (state === "none" ? "" : `, init-state ${state}`);

test.for(has ? ["none", "fully-up"] : ["none"])(
  "a node that HAProxy's check refuses after its restart is never made ready (init-state %s)",
  async (state, { task }) => {
    await using lab = await startLab({
      nodes: 3,
      bootSeconds: 0.1,
      checkInterMs: 2_000,
      ...optionsOf(state),
    });
    const page = `http://{host}:${lab.node("web1").appPort}/`; // which the sick release answers well
    const inventory = await lab.inventory({
      check: { url: page, body: "release {RELEASE} on {node}" },
      limits: { ready: "3s", capacity: "3s" },
    });
    await using load = await startLoad({ urls: lab.balancers.map(({ url }) => url), perSecond: 100 });
    const { code, stderr } = await runRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=sick"]);
    const report = await load.stop();
    const name = `a node whose own check passes and HAProxy's does not stays out${named(state)}`;
    reportCase(task, name, report);
    expect(code, stderr).toBe(1);
    expect(stderr).toMatch(/waited 3s for a fresh passing check of web1 on every balancer: /);
    for (const balancer of lab.balancers)
      expect(await balancer.ask("show servers state app")).toMatch(/ web1 \S+ 0 1 /);
    expect(report).toMatchObject({ lost: 0, examples: [] });
  },
);

test.for(has ? ["fully-up", "down", "fully-down"] : [])(
  "a deploy loses no request (init-state %s)",
  async (state, { task }) => {
    await using lab = await startLab({ nodes: 3, bootSeconds: 0.1, ...optionsOf(state) });
    const inventory = await lab.inventory();
    await using load = await startLoad({ urls: lab.balancers.map(({ url }) => url), perSecond: 100 });
    const { code, stderr } = await runRota(lab, ["deploy", "-i", inventory, "--set", "RELEASE=2"]);
    const report = await load.stop();
    reportCase(task, `a deploy over three nodes${named(state)}`, report);
    expect(code, stderr).toBe(0);
    expect(report).toMatchObject({ lost: 0, examples: [] });
  },
);

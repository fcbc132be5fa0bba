/** drain.via: none: nodes that stay in rotation while they are worked on. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fakeSite, type FakeSite, type Overrides } from "../fakes/site.ts";

const siteOf = (pool: Overrides = {}, fleet: Overrides = {}): Promise<FakeSite> =>
  fakeSite({
    fleet,
    pool: {
      drain: { via: "none" },
      restart: { via: "none", run: undefined },
      upgrade: 'echo "$RELEASE" >> upgrades',
      ...pool,
    },
  });
const deploy = ["deploy", "--set", "RELEASE=42", "--json"];

test.concurrent(
  "nothing is told to any balancer, and each node is worked on, one after the other",
  async () => {
    await using site = await siteOf();
    const { code, err, events } = await site.rota(...deploy);
    expect(code, err).toBe(0);
    expect([...site.told("web1"), ...site.told("web2")]).toEqual([]);
    expect(site.host("web2").commands.length).toBeGreaterThan(0);
    const steps = events.flatMap((event) =>
      event.type === "step ended" && event.node === "web1" ? [event.step] : [],
    );
    expect(steps).toEqual(["survey", "upgrade", "restart", "check", "ready"]);
    expect((await site.rota("plan")).out).toContain("stays in rotation while it is worked on");
  },
);

test.concurrent(
  "one that fails is taken out where it can be spared, and the next deploy brings it back",
  async () => {
    await using site = await siteOf({ upgrade: '[ "$RELEASE" != 42 ]' });
    const { code, err } = await site.rota(...deploy);
    expect(code).toBe(1);
    expect(err).toContain("web1 is out of rotation");
    expect(site.stateOf("web1")).toBe("maint");
    expect(site.told("web2")).toEqual([]);
    const good = await site.rota("deploy", "--set", "RELEASE=43");
    expect(good.code, good.err).toBe(0);
    expect(site.stateOf("web1")).toBe("ready");
  },
);

test.concurrent("one that fails and can't be spared stays, and that is said", async () => {
  await using site = await siteOf({ upgrade: "exit 3", rollout: { min_serving: 2 } });
  const { code, err, events } = await site.rota(...deploy);
  expect(code).toBe(1);
  expect(events).toContainEqual(
    expect.objectContaining({
      type: "notice",
      text: expect.stringContaining("stays in rotation, though it failed"),
    }),
  );
  expect(err).toContain("web1 is back in rotation");
  expect(site.stateOf("web1")).toBe("ready");
  expect(site.told("web1")).toEqual([]);
});

test.concurrent("one that failed and stayed is not done: a resume works on it again", async () => {
  await using site = await siteOf({
    upgrade:
      '[ "$ROTA_NODE" = web2 ] || [ -e mended ] || { touch mended; exit 3; }; echo "$RELEASE" >> upgrades',
    rollout: { min_serving: 2 },
  });
  expect((await site.rota(...deploy)).code).toBe(1);
  const resumed = await site.rota("resume", "--retry");
  expect(resumed.code, resumed.err).toBe(0);
  expect(await readFile(join(site.host("web1").folder, "upgrades"), "utf8")).toBe("42\n");
});

test.concurrent("one whose balancer does not answer stays, and is not told as out", async () => {
  await using site = await siteOf({ upgrade: "exit 3" });
  site.atStep("web1", "upgrade", () => site.balancer("lb2").always("reset"));
  const { code, err } = await site.rota(...deploy);
  expect(code).toBe(1);
  expect(err).toContain("web1 is back in rotation");
  expect(site.balancer("lb1").stateOf("app", "web1")).toBe("ready");
});

test.concurrent("of two that fail at once only as many are taken out as can be spared", async () => {
  await using site = await siteOf({ upgrade: "exit 3", rollout: { batch: 2, min_serving: 1 } });
  expect((await site.rota(...deploy)).code).toBe(1);
  expect([site.stateOf("web1"), site.stateOf("web2")].toSorted()).toEqual(["maint", "ready"]);
});

test.concurrent("no balancer need be in the inventory", async () => {
  await using site = await siteOf({ upgrade: '[ "$RELEASE" != 43 ]' }, { balancers: undefined });
  const { code, err } = await site.rota(...deploy);
  expect(code, err).toBe(0);
  const failed = await site.rota("deploy", "--set", "RELEASE=43");
  expect(failed.code).toBe(1);
  expect(failed.err).toContain("stays in rotation, though it failed: no balancer is in the inventory");
});

test.concurrent("by hand it is drained and comes back as any other", async () => {
  await using site = await siteOf();
  const drained = await site.rota("drain", "web1", "--reason", "disk");
  expect(drained.code, drained.err).toBe(0);
  expect(site.stateOf("web1")).toBe("drain");
  const back = await site.rota("ready", "web1");
  expect(back.code, back.err).toBe(0);
  expect(site.stateOf("web1")).toBe("ready");
});

test.concurrent("a restart that does not keep serving is refused", async () => {
  await using site = await siteOf({ restart: { via: "command", run: "true" } });
  const { code, err } = await site.rota("plan");
  expect(code).toBe(2);
  expect(err).toContain("pools.web.drain.via: is for a restart that keeps serving");
});

import { expect, test } from "vitest";
import { fakeSite } from "../fakes/site.ts";

// Signals are heard by every run of this process, so these tests run one after the other.

test("a signal ends a soak at once, for nothing is out, and a resume only watches", async () => {
  await using site = await fakeSite({
    nodes: 2,
    pool: { rollout: { soak: "60s", min_serving: 1, inconclusive: "go-on" } },
  });
  const began = performance.now();
  site.whenWaiting("web1", /watched under traffic/, () => void process.emit("SIGINT", "SIGINT"));
  const first = await site.rota("deploy", "--set", "RELEASE=2", "--json");
  expect(first.code).toBe(4);
  expect(performance.now() - began).toBeLessThan(30_000);
  expect(first.err).toContain("web1 is back in rotation; web2 was not touched");
  expect(first.err).toMatch(/next: {2}rota resume \w+/);
  expect((await site.rota("show", "last")).out).toMatch(/web1 +at soak/);

  const told = site.told("web1").length;
  site.whenWaiting("web1", /watched under traffic/, () => void process.emit("SIGINT", "SIGINT"));
  const again = await site.rota("resume", "--json");
  expect(again.code).toBe(4);
  const steps = again.events.flatMap((event) =>
    event.type === "step started" ? [`${event.node} ${event.step}`] : [],
  );
  expect(steps).toEqual(["web1 soak"]);
  expect(site.told("web1")).toHaveLength(told); // it did not leave again
});

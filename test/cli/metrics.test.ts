import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fakeSite } from "../fakes/site.ts";

test("a run leaves its numbers in the file that $ROTA_METRICS names, a lease that it lost among them", async () => {
  await using site = await fakeSite();
  const path = join(site.inventory, "../rota.prom");
  site.env["ROTA_METRICS"] = path;
  expect((await site.rota("deploy", "--set", "RELEASE=1", "--yes")).code).toBe(0);
  const text = readFileSync(path, "utf8");
  expect(text).toContain('rota_runs_total{fleet="fake",command="deploy",outcome="done"} 1\n');
  expect(text).toContain('rota_rotations_total{fleet="fake",outcome="back"} 2\n');
  expect(text).toContain('rota_leases_lost_total{fleet="fake"} 0\n');

  let unlocked: Promise<unknown> | undefined;
  site.atStep("web1", "settle", () => {
    unlocked = site.rota("unlock", "--yes");
  });
  expect((await site.rota("deploy", "--set", "RELEASE=2", "--yes", "--json")).code).not.toBe(0);
  await unlocked;
  expect(readFileSync(path, "utf8")).toContain('rota_leases_lost_total{fleet="fake"} 1\n');
});

test("a file that can't be written is said, and fails no run", async () => {
  await using site = await fakeSite();
  site.env["ROTA_METRICS"] = "/nowhere/rota.prom";
  const { code, err } = await site.rota("rotate", "web1", "--set", "RELEASE=1", "--yes");
  expect(code).toBe(0);
  expect(err).toMatch(/the metrics could not be written to \/nowhere\/rota.prom: /);
});

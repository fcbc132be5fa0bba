import { dirname, join } from "node:path";
import Database from "libsql";
import { expect, test } from "vitest";
import { fakeSite, type FakeSite } from "../fakes/site.ts";

const deploy = (site: FakeSite, ...words: string[]) =>
  site.rota("deploy", "web1", "--set", "RELEASE=2", "--json", ...words);

const readyTold = (site: FakeSite): string[] => site.told("web1").filter((line) => line.endsWith(" ready"));

test.concurrent.for([
  ["with fall 1, where just up is as good as it gets", { haproxy: { fall: 1, rise: 2 } }],
  ["with ready.proof: rise", { pool: { ready: { proof: "rise" } } }],
] as const)("%s, HAProxy must see the node down and rise anew", async ([, options]) => {
  await using site = await fakeSite(options);
  const server = site.balancer("lb2").server("app", "web1");
  site.atStep("web1", "ready", () => (server.passes = false));
  site.whenWaiting("web1", /lb2\/app\/web1: DOWN/, () => {
    expect(readyTold(site)).toEqual([]);
    server.passes = true;
  });
  const { code, err } = await deploy(site);
  expect(code, err).toBe(0);
  expect(site.balancer("lb2").lines.join("\n")).toContain("set server app/web1 health down");
  expect(site.stateOf("web1")).toBe("ready");
});

test.concurrent.for([
  ["fall 1", { fall: 1 }],
  ["init-state fully-up", { initState: "fully-up", autoCheck: false }],
] as const)("with %s a node that HAProxy never sees pass is never made ready", async ([, haproxy]) => {
  await using site = await fakeSite({ haproxy, pool: { limits: { ready: "400ms" } } });
  site.atStep("web1", "ready", () => (site.balancer("lb2").server("app", "web1").passes = false));
  const { code, err } = await deploy(site);
  expect(code).toBe(1);
  expect(err).toMatch(/a fresh passing check of web1 on every balancer: .*lb2\/app\/web1: DOWN/);
  expect(readyTold(site)).toEqual([]);
  expect(site.stateOf("web1")).toBe("maint");
});

test.concurrent("a reload during the proof starts it anew", async () => {
  await using site = await fakeSite({ pool: { limits: { ready: "5s" } } });
  const lb2 = site.balancer("lb2");
  const server = lb2.server("app", "web1");
  server.passes = false;
  let told = 0;
  site.whenWaiting("web1", /lb2\/app\/web1: DOWN/, () => {
    told = lb2.lines.length;
    lb2.reload();
    setTimeout(() => (server.passes = true), 300);
  });
  const { code, err, events } = await deploy(site);
  expect(code, err).toBe(0);
  const anew = lb2.lines
    .slice(told)
    .flatMap((line) => line.match(/set server app\/web1 state \w+/g) ?? [])
    .map((line) => line.split(" ").at(-1));
  expect(anew).toEqual(["maint", "drain", "ready"]);
  expect(events).toContainEqual(
    expect.objectContaining({ type: "notice", text: "lb2/app/web1 was reloaded; told again" }),
  );
});

test.concurrent("a server without checks is proven by the node's own check, and that is said", async () => {
  await using site = await fakeSite();
  site.balancer("lb1").server("app", "web1").checked = false;
  const { code, events } = await deploy(site);
  expect(code).toBe(0);
  const text = "lb1/app/web1: HAProxy runs no check there; the node's own check is the proof";
  expect(events).toContainEqual(expect.objectContaining({ type: "notice", text }));
});

test.concurrent("a proven node that one balancer does not take back is told as that, and known", async () => {
  await using site = await fakeSite();
  const server = site.balancer("lb2").server("app", "web1");
  server.passes = false;
  site.whenWaiting("web1", /lb2\/app\/web1: DOWN/, () => {
    server.ignoresState = true;
    server.passes = true;
  });
  const { code, err } = await deploy(site);
  expect(code).toBe(1);
  expect(err).toContain("web1: lb2: app/web1 was told ready and is drain");
  expect(err).toContain("left:  web1 is back in part at most (see rota status)");
  await using journal = await site.journal();
  expect([...(await journal.absences("fake")).keys()]).toEqual(["web1"]);
  server.ignoresState = false;
  expect((await deploy(site)).code).toBe(0);
  expect(await journal.absences("fake")).toEqual(new Map());
});

/** The journal can't be written any more. */
function spoil(site: FakeSite, table: "absences" | "steps"): void {
  const database = new Database(join(dirname(site.inventory), "journal.db"));
  database.exec(`drop table ${table}`);
  database.close();
}

test.concurrent("where the journal can't take down that a node leaves, it does not leave", async () => {
  await using site = await fakeSite();
  site.atStep("web1", "drain", () => spoil(site, "absences"));
  const { code, err } = await deploy(site);
  expect(code).toBe(3);
  expect(err).toMatch(/^rota: web1: the journal .* can't be used: .*absences/m);
  expect(site.told("web1")).toEqual([]);
});

test.concurrent("a journal that fails does not hide why the node failed", async () => {
  await using site = await fakeSite({ pool: { upgrade: "exit 3" } });
  site.atStep("web1", "upgrade", () => spoil(site, "steps"));
  const { code, err, events } = await deploy(site);
  expect(code).toBe(1);
  expect(err).toContain("web1: upgrade on web1: exit code 3");
  expect(events).toContainEqual(
    expect.objectContaining({
      type: "notice",
      text: expect.stringMatching(/^the journal does not know that: /),
    }),
  );
  expect(site.stateOf("web1")).toBe("maint");
});

test.concurrent("a node that is back, and the journal does not know, is told as back", async () => {
  await using site = await fakeSite();
  site.atStep("web1", "ready", () => spoil(site, "absences"));
  const { code, err } = await deploy(site);
  expect(code).toBe(1);
  expect(err).toContain("left:  web1 is back in rotation");
  expect(site.stateOf("web1")).toBe("ready");
});

import { expect, test } from "vitest";
import { type BackendConfig, readHaproxyConfig } from "../../src/doctor/haproxy-config.ts";

const backend = (text: string, name = "app"): BackendConfig | undefined =>
  readHaproxyConfig(text)?.backends.get(name);

test("what defaults say holds for the backends after them, until those say otherwise", () => {
  const text = `
defaults
  option redispatch
  default-server inter 30s   # for all
backend app
  server web1 10.0.0.1:80 check
backend other
  no option redispatch
  server web1 10.0.0.1:80 check inter 1500 downinter 20s slowstart 1m
defaults
  load-server-state-from-file global
backend third
  server web1 10.0.0.1:80
`;
  expect(backend(text)).toMatchObject({ redispatch: true, loadsStates: false });
  expect(backend(text)?.servers.get("web1")).toEqual({ inter: 30_000, slowstart: 0 });
  expect(backend(text, "other")).toMatchObject({ redispatch: false });
  expect(backend(text, "other")?.servers.get("web1")).toEqual({ inter: 20_000, slowstart: 60_000 });
  expect(backend(text, "third")).toMatchObject({ redispatch: false, loadsStates: true });
  expect(backend(text, "third")?.servers.get("web1")).toEqual({ inter: 2_000, slowstart: 0 });
});

test("defaults with a name hold where they are named", () => {
  const text = `
defaults base
  option redispatch
defaults more from base
  option persist
backend app from more
backend plain from base
`;
  expect(backend(text)).toMatchObject({ redispatch: true, persist: true });
  expect(backend(text, "plain")).toMatchObject({ redispatch: true, persist: false });
});

test("persistence, and whether it ends", () => {
  expect(backend("backend app\n cookie SRV insert indirect\n")?.cookie).toEqual({ name: "SRV", ends: false });
  expect(backend("backend app\n cookie SRV insert maxlife 1h\n")?.cookie).toEqual({
    name: "SRV",
    ends: true,
  });
  const table = (more: string): string =>
    `backend app\n stick-table type ip size 1m ${more}\n stick on src\n`;
  expect(backend(table(""))?.stick).toEqual({ expires: false });
  expect(backend(table("expire 30m"))?.stick).toEqual({ expires: true });
  expect(backend("backend app\n stick on src table other\n")?.stick).toEqual({ expires: undefined });
  expect(backend("backend app\n stick-table type ip size 1m\n")?.stick).toBeUndefined(); // it only counts
});

test("comments and quotes are read as HAProxy does", () => {
  expect(backend('backend app # "\n # option persist\n option "persist"\n')).toMatchObject({ persist: true });
  expect(backend("backend app\n http-request set-header x \\#\n option persist#no\n")).toMatchObject({
    persist: true,
  });
});

test("global: a state file, and listeners that a socket gives away", () => {
  const text =
    "global\n server-state-file /var/lib/haproxy/state\n stats socket /run/a mode 600 expose-fd listeners\n";
  expect(readHaproxyConfig(text)).toMatchObject({ statesKept: true, exposesListeners: true });
  expect(readHaproxyConfig("listen app\n bind :80\n")?.backends.has("app")).toBe(true);
});

test("a configuration with conditions is not guessed at", () => {
  expect(readHaproxyConfig(".if defined(X)\nbackend app\n.endif\n")).toBeUndefined();
});

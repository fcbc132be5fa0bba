/** Files that a person would hardly write: by a script gone wrong, or on purpose. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findInventory } from "../../src/inventory/find.ts";
import { loadInventory } from "../../src/inventory/load.ts";
import { errorOf, faultsIn, fleetOf, here, rest, top, withNodes, withPool } from "./files.ts";

const repeated = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join("");

describe("what is nested too deeply is told before the parser meets it:", () => {
  test.each([
    ["brackets, closed again in comments", "[ # ]\n".repeat(50_000), 101],
    ["brackets, closed again in texts", `fleet:\n  ${`["]",`.repeat(50_000)}`, 2],
    ["brackets after texts over several lines", `a: "x\n  y"\nb: ${"[{".repeat(50_000)}`, 3],
    ["lists in one line", `fleet: x\n${"- ".repeat(50_000)}`, 2],
    ["keys in one line", "a: ".repeat(50_000), 1],
    ["explicit keys in one line", "? ".repeat(50_000), 1],
    ["lists, each a space further in", repeated(500, (i) => `${" ".repeat(i)}-\n`), 202],
  ])("%s", (_, text, line) => {
    expect(faultsIn(text)).toEqual([`${line}:1 is nested too deeply`]);
  });
});

test("many brackets that are closed, and brackets in texts and comments, are not deep", () => {
  const script = `    upgrade: |\n${"      [ -e x ] && { [[ $A\n".repeat(100)}`;
  const comments = "# [{[{\n".repeat(100);
  expect(fleetOf(comments + withPool(script)).pools[0]?.upgrade?.run).toContain("[[ $A");
  const body = `    check: { url: 'http://{host}/', body: '${"[".repeat(200)}' }\n`;
  expect(fleetOf(withPool("").replace(/ {4}check.*\n/, body)).pools[0]?.check.body).toHaveLength(200);
});

test("a whole fleet in one line of JSON is read", () => {
  const nodes = Object.fromEntries(
    Array.from({ length: 400 }, (_, i) => [`web${i}`, { host: `10.0.1.${i % 256}` }]),
  );
  const fleet = {
    fleet: "shop",
    balancers: { lb1: "unix:/run/lb1.sock" },
    pools: {
      web: { nodes, restart: { via: "command", run: "./restart" }, check: { url: "http://{host}/" } },
    },
  };
  // With a space after each colon, as Python's json.dumps writes it.
  const text = JSON.stringify(fleet).replaceAll('":', '": ').replaceAll(',"', ', "');
  expect(fleetOf(text).pools[0]?.nodes).toHaveLength(400);
});

test("each of several equal keys names the line of the first", () => {
  expect(faultsIn(`${top}pools: {}\nfleet: a\nfleet: b\n`)).toEqual([
    "3:8 pools: is empty; name at least one",
    '4:1 "fleet" is here twice; first on line 1',
    '5:1 "fleet" is here twice; first on line 1',
  ]);
});

test("an anchor at a key is as good as one at a value", () => {
  const fleet = fleetOf(withNodes("\n      &a web1: 10.0.1.1\n", "    backends: [*a]\n"));
  expect(fleet.pools[0]?.backends).toEqual(["web1"]);
});

describe("a fault of a range is told where it is, in the name or in the host:", () => {
  const nodes = (name: string, host: string) => withNodes(`\n      ${name}:\n        host: ${host}\n`);
  test.each([
    ["web[3:1]", "10.0.1.[1:3]", "6:7 pools.web.nodes.web[3:1]: [3:1] runs backwards"],
    ["web[1:3]", "10.0.1.[3:1]", "7:15 pools.web.nodes.web[1:3].host: [3:1] runs backwards"],
    [
      "web1",
      "'[fd00::1]'",
      "7:15 pools.web.nodes.web1.host: [fd00::1] is written without brackets here: fd00::1",
    ],
    [
      "web[1:3]",
      "10.0.1.[1:2]",
      "6:7 pools.web.nodes.web[1:3]: web[1:3] is 3 nodes, but 10.0.1.[1:2] is 2 hosts",
    ],
  ])("%s at %s", (name, host, fault) => {
    expect(faultsIn(nodes(name, host))).toEqual([fault]);
  });
});

test("what no URL, socket, variable or host can hold is refused before anything is asked", () => {
  const url = (text: string) => withPool("").replace(/ {4}check.*\n/, `    check: { url: "${text}" }\n`);
  const space = "7:19 pools.web.check.url: holds white space, which no URL does";
  expect(faultsIn(url("http://{host}\\n/"))).toEqual([space]);
  expect(faultsIn(url("http://{host}/a b"))).toEqual([space]);
  expect(faultsIn(withNodes('{ web1: "fe80::1%eth0" }'))).toEqual([
    `5:20 pools.web.nodes.web1: "fe80::1%eth0" is not a host's name or address`,
  ]);
  expect(faultsIn(withNodes('{ web1: "10.0.1.1\\0" }'))).toEqual([
    "5:20 pools.web.nodes.web1: holds a NUL character, which no command can be given",
  ]);
  expect(faultsIn(withPool("    needs: [__proto__]\n"))).toEqual([
    `6:13 pools.web.needs.0: "__proto__" can't be a variable; choose another name`,
  ]);
  expect(faultsIn(withPool("").replace("unix:/run/lb1.sock", '"unix:/run/\\e[2Jlb1"'))).toEqual([
    '2:19 balancers.lb1: "unix:/run/[2Jlb1" is not a socket\'s address; ' +
      "write unix:/run/haproxy/admin.sock, tcp://10.0.0.2:9999 or ssh://lb3.example.net/run/haproxy/admin.sock",
  ]);
});

test("what a file or its name holds can't draw on the terminal", () => {
  // oxlint-disable-next-line no-control-regex
  const drawing = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;
  const name = "shop\u001b[2J\u202e.yml";
  const folder = mkdtempSync(join(tmpdir(), "rota-hostile-"));
  try {
    writeFileSync(join(folder, name), `"a\\e[2J": "\\a"\n"\\u202e": *none\n`);
    for (const error of [
      errorOf(() => loadInventory(name, { ...here, folder })),
      errorOf(() => loadInventory(`missing ${name}`, { ...here, folder })),
    ]) {
      expect(error.message).not.toMatch(drawing);
      expect(error.next).not.toMatch(drawing);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("an -i that is followed by nothing is no reason to take another inventory", () => {
  const error = errorOf(() => findInventory({ given: "", env: { ROTA_INVENTORY: "prod.yml" }, cwd: "/" }));
  expect(error).toMatchObject({ code: "USAGE", message: "which inventory? -i is followed by nothing" });
});

test("every name that is let through is one that HAProxy's commands take", () => {
  const name = fc.oneof(
    fc.string({
      unit: fc.constantFrom("a", "1", ".", "_", ":", "-", " ", ";", "/", "#", "\n", "[", "]"),
      maxLength: 6,
    }),
    fc.integer({ min: 250, max: 256 }).map((length) => `${"a".repeat(length)}[9:10]`),
  );
  fc.assert(
    fc.property(name, (key) => {
      const entry = JSON.stringify({ [key]: key.includes("[") ? "10.0.1.[9:10]" : "10.0.1.1" });
      const read = () => fleetOf(`${top}pools:\n  web:\n    nodes: ${entry}\n${rest}`);
      try {
        for (const node of read().pools[0]?.nodes ?? []) expect(node.server).toMatch(/^[\w.:-]{1,256}$/);
      } catch (thrown) {
        expect(thrown).toMatchObject({ name: "RotaError", code: "INVENTORY" });
      }
    }),
    { numRuns: 100 },
  );
});

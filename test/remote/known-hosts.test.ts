import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keysOfHost, parseKnownHosts, type Judgement } from "../../src/remote/known-hosts.ts";

const types = { ed25519: "ed25519", other: "ed25519", ecdsa: "ecdsa", rsa: "rsa" };
type KeyName = keyof typeof types;

let folder: string;
const keys: Record<KeyName, string> = { ed25519: "", other: "", ecdsa: "", rsa: "" };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rota-known-hosts-"));
  for (const name of ["ed25519", "other", "ecdsa", "rsa"] as const) {
    const file = join(folder, name);
    execFileSync("ssh-keygen", ["-q", "-t", types[name], "-N", "", "-C", "made for a test", "-f", file]);
    keys[name] = readFileSync(`${file}.pub`, "utf8").split(" ").slice(0, 2).join(" ");
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const blob = (name: KeyName): Buffer => Buffer.from(keys[name].split(" ")[1] ?? "", "base64");
const judge = (text: string, host: string, key: KeyName, port = 22): Judgement =>
  keysOfHost(parseKnownHosts(text), host, port).judge(blob(key));

/** What `ssh-keygen -H` makes of a file. */
function hashed(text: string): string {
  const file = join(folder, "to-hash");
  writeFileSync(file, text);
  execFileSync("ssh-keygen", ["-q", "-H", "-f", file], { stdio: "ignore" });
  return readFileSync(file, "utf8");
}

test("a key that is recorded for the host is known, whatever its type", () => {
  const text = (["ed25519", "ecdsa", "rsa"] as const)
    .map((name) => `web1,10.0.0.1 ${keys[name]} a comment\n`)
    .join("");
  for (const name of ["ed25519", "ecdsa", "rsa"] as const) {
    expect(judge(text, "web1", name)).toEqual({ kind: "known" });
    expect(judge(text, "10.0.0.1", name)).toEqual({ kind: "known" });
    expect(judge(text, "WEB1", name)).toEqual({ kind: "known" });
    expect(judge(text, "web2", name)).toEqual({ kind: "unknown", authorities: [] });
  }
  expect(keysOfHost(parseKnownHosts(text), "web1", 22).types).toEqual([
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ssh-rsa",
  ]);
});

test("names hashed by ssh-keygen are found, with a port and without", () => {
  const text = hashed(`web1 ${keys.ed25519}\n[web2]:2222 ${keys.rsa}\n`);
  expect(text).not.toContain("web");
  expect(judge(text, "web1", "ed25519")).toEqual({ kind: "known" });
  expect(judge(text, "web2", "rsa", 2222)).toEqual({ kind: "known" });
  expect(judge(text, "web2", "rsa")).toEqual({ kind: "unknown", authorities: [] });
  expect(judge(text, "web3", "rsa")).toEqual({ kind: "unknown", authorities: [] });
});

test("another key than the recorded ones is a changed key, with the lines that say so", () => {
  const text = `# comment\n\nweb1 ${keys.ed25519}\nweb2 ${keys.rsa}\nweb1 ${keys.ecdsa}\n`;
  expect(judge(text, "web1", "other")).toEqual({ kind: "changed", lines: [3, 5] });
  expect(judge(text, "web1", "rsa")).toEqual({ kind: "changed", lines: [3, 5] });
});

test("a port of its own makes another host, but a key recorded without the port will do, as for ssh", () => {
  const text = `web1 ${keys.ed25519}\n[web2]:2222 ${keys.ecdsa}\n`;
  expect(judge(text, "web1", "ed25519", 2222)).toEqual({ kind: "known" });
  expect(judge(text, "web1", "other", 2222)).toEqual({ kind: "unknown", authorities: [] });
  expect(judge(text, "web2", "ecdsa", 2222)).toEqual({ kind: "known" });
  expect(judge(text, "web2", "ecdsa", 2223)).toEqual({ kind: "unknown", authorities: [] });
  expect(judge(text, "web2", "ecdsa", 22)).toEqual({ kind: "unknown", authorities: [] });
  expect(judge(text, "web2", "other", 2222)).toEqual({ kind: "changed", lines: [2] });
});

test.each([
  ["*.example.net", "web1.example.net", true],
  ["*.example.net", "example.net", false],
  ["web?", "web1", true],
  ["web?", "web12", false],
  ["web.", "web1", false],
  ["10.0.0.*,!10.0.0.9", "10.0.0.1", true],
  ["!10.0.0.9,10.0.0.*", "10.0.0.9", false],
  ["!web2", "web1", false],
  ["*", "anything", true],
  ["[web1]:22", "web1", false],
  ["WEB1", "web1", true],
])("the pattern %s against %s: %s", (pattern, host, expected) => {
  expect(judge(`${pattern} ${keys.rsa}\n`, host, "rsa").kind).toBe(expected ? "known" : "unknown");
});

test("a revoked key is refused even where it is also recorded as known", () => {
  const text = `web1 ${keys.rsa}\n@revoked * ${keys.rsa}\nweb1 ${keys.ed25519}\n`;
  expect(judge(text, "web1", "rsa")).toEqual({ kind: "revoked", lines: [2] });
  expect(judge(text, "web1", "rsa", 2222)).toEqual({ kind: "revoked", lines: [2] });
  expect(judge(text, "web1", "ed25519")).toEqual({ kind: "known" });
});

test("a key that is revoked without the port is refused at every port, as by ssh", () => {
  const text = `web1 ${keys.rsa}\n@revoked web1 ${keys.rsa}\n`;
  expect(judge(text, "web1", "rsa", 2222)).toEqual({ kind: "revoked", lines: [2] });
});

test("an authority vouches for nobody, and its line is named", () => {
  const text = `@cert-authority *.net ${keys.rsa}\n`;
  expect(judge(text, "web1.net", "rsa")).toEqual({ kind: "unknown", authorities: [1] });
  expect(keysOfHost(parseKnownHosts(text), "web1.net", 22).types).toEqual([]);
});

describe("malformed lines are skipped", () => {
  test.each([
    ["no key", "web1 ssh-rsa"],
    ["a key of another type than is said", "web1 ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIA=="],
    ["not base64", "web1 ssh-ed25519 ????"],
    ["an unknown marker", "@trusted web1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=="],
    ["a broken hash", "|1|AAAA ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=="],
    ["a hash of another kind", "|2|AAAA|BBBB ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=="],
    ["a comment", "# web1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=="],
  ])("%s", (_, line) => {
    const text = `${line}\r\n\t web1 \t ${keys.rsa}\r\n`;
    expect(judge(text, "web1", "rsa")).toEqual({ kind: "known" });
    expect(judge(text, "web1", "ed25519")).toEqual({ kind: "changed", lines: [2] });
  });
});

test("whatever the file holds, it is read without an error, and only a whole equal key is known", () => {
  const name = fc.constantFrom(
    "web1",
    "*",
    "web?",
    "!web1",
    "[web1]:22",
    "|1|AAAA|BBBB",
    "#",
    "@revoked",
    "",
  );
  const key = fc.constantFrom(...Object.values(keys));
  const line = fc.oneof(
    fc.string(),
    fc.tuple(name, name, key).map((fields) => fields.join(" ")),
    fc.tuple(name, key).map((fields) => fields.join(" ")),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
      const text = lines.join("\n");
      const judgement = judge(text, "web1", "ed25519");
      if (judgement.kind === "known") expect(text).toContain(keys.ed25519);
      else if (judgement.kind === "changed") expect(judgement.lines.length).toBeGreaterThan(0);
    }),
  );
});

test("ssh-keygen -F finds the same hosts in the same file", () => {
  const label = fc.constantFrom("a", "b", "?", "*", "!a", "a*", "*b");
  const names = fc.array(
    fc.tuple(label, label).map((two) => two.join(".")),
    { minLength: 1, maxLength: 3 },
  );
  const host = fc.constantFrom("a.b", "b.a", "a.a", "b.b");
  const file = join(folder, "to-find");
  fc.assert(
    fc.property(names, host, (patterns, sought) => {
      const text = `${patterns.join(",")} ${keys.ed25519}\n`;
      writeFileSync(file, text);
      let found = true;
      try {
        execFileSync("ssh-keygen", ["-F", sought, "-f", file], { stdio: "ignore" });
      } catch {
        found = false;
      }
      expect(judge(text, sought, "ed25519").kind === "known").toBe(found);
    }),
    { numRuns: 60 },
  );
});

test("a file with a line for each host of a large fleet is read through once, not for each of them", () => {
  const lines = Array.from({ length: 500 }, (_, i) => `[10.0.0.${i}]:2222,web${i} ${keys.ed25519}`);
  let looks = 0;
  const entries = parseKnownHosts(`${lines.join("\n")}\n*.example.net ${keys.rsa}\n`).map(
    (entry) =>
      new Proxy(entry, {
        get(target, name) {
          if (name === "names") looks += 1;
          return Reflect.get(target, name);
        },
      }),
  );
  const look = (host: string): string[] => keysOfHost(entries, host, 22).types;
  expect(look("web1")).toEqual(["ssh-ed25519"]);
  looks = 0;
  for (let i = 0; i < 500; i += 1) expect(look(`web${i}`)).toEqual(["ssh-ed25519"]);
  expect(look("web7.example.net")).toEqual(["ssh-rsa"]);
  expect(looks).toBe(500); // the pattern, for each that is new
});

test("a key without the port says nothing of which key to ask for where there is one with it", () => {
  const entries = parseKnownHosts(`web1 ${keys.ed25519}\n[web1]:2222 ${keys.rsa}\n`);
  expect(keysOfHost(entries, "web1", 2222).types).toEqual(["ssh-rsa"]); // with the other it would seem to have changed
  expect(keysOfHost(entries, "web1", 22).types).toEqual(["ssh-ed25519"]);
  expect(keysOfHost(entries, "web1", 2200).types).toEqual(["ssh-ed25519"]);
});

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RotaError } from "../../src/base/errors.ts";
import { type Asked, sketchFromAnsible } from "../../src/drafting/ansible/from-ansible.ts";
import { jumpIn } from "../../src/drafting/ansible/jump.ts";
import { evaluated } from "../../src/drafting/ansible/literal.ts";
import { loadAnsible, modelIn } from "../../src/drafting/ansible/load.ts";
import { reconcile, variablesOf } from "../../src/drafting/ansible/model.ts";
import { wordsIn } from "../../src/drafting/ansible/words.ts";
import { write } from "../../src/drafting/write.ts";
import type { Fleet } from "../../src/inventory/fleet.ts";
import { readInventory } from "../../src/inventory/load.ts";
import { examples } from "./listing.ts";

/** Files in a folder of their own; the first is the inventory. */
function imported(files: Record<string, string>, asked: Partial<Asked> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "rota-ansible-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const file = Object.keys(files)[0] ?? "";
    return write(
      sketchFromAnsible(loadAnsible(file, folder), { fleet: "shop", file, groups: [], vars: [], ...asked }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const here = { user: "ada", home: "/home/ada", folder: "/" };
const fleetOf = (text: string): Fleet => readInventory(text, "shop.yml", here);

function errorOf(act: () => unknown): string {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof RotaError) return thrown.message;
    throw thrown;
  }
  return expect.unreachable("it did not fail");
}

test.each(examples.map((file) => [file.split("/").slice(-2).join("/"), file]))(
  "%s becomes an inventory",
  (_, file) => {
    const text = write(
      sketchFromAnsible(loadAnsible(file, "/"), { fleet: "shop", file, groups: [], vars: [] }),
    );
    expect(fleetOf(text).pools.length).toBeGreaterThan(0);
    expect(text).toContain("unit: FILL_IN");
  },
);

describe("what is not understood is told with file and line:", () => {
  test.each([
    ["an unclosed quote", "hosts", "[web]\nweb1 a='x\n", "hosts:2:1 web1 a='x: No closing quotation"],
    ["a word without =", "hosts", "web1 user\n", "hosts:1:1 user: write key=value"],
    ["an unknown section", "hosts", "[web:hosts:x]\n", "hosts:1:1 [web:hosts:x] is no section"],
    ["a section of another kind", "hosts", "[web:users]\n", "hosts:1:1 [web:users]: a section is"],
    [
      "children that are not there",
      "hosts",
      "[all:children]\nweb\n",
      "hosts:2:1 [all:children]: there is no group web",
    ],
    [
      "variables of no group",
      "hosts",
      "web1\n[web:vars]\na=1\n",
      "hosts:2:1 [web:vars]: there is no group web",
    ],
    ["a group in itself", "hosts", "[a:children]\nb\n[b:children]\na\n", "would be a child of itself"],
    ["a wrong range", "hosts", "web[1:x]\n", "hosts:1:1 web[1:x] holds no right range"],
    ["too many hosts", "hosts", "web[1:99999]\n", "stands for more than 20000 hosts"],
    ["far too many hosts", "hosts", "a[1:999][1:999][1:999]\n", "stands for more than 20000 hosts"],
    [
      "a plugin's configuration",
      "aws_ec2.yml",
      "---\nplugin: aws_ec2\n",
      "aws_ec2.yml:2:1 this configures a plugin",
    ],
    ["a program", "hosts.py", "#!/usr/bin/env python3\n", "hosts.py:1:1 is a program, and rota runs none"],
    ["an encrypted file", "hosts", "$ANSIBLE_VAULT;1.1;AES256\n3132\n", "hosts:1:1 is encrypted"],
    ["hosts that are no map", "h.yml", "web:\n  hosts: [a]\n", "h.yml:2:1 hosts of web is no map"],
    [
      "a tag",
      "h.yml",
      "web:\n  vars: {a: !python/none x}\n",
      "h.yml:2:1 the tag !python/none is not read here",
    ],
    ["no YAML", "h.yml", "a: [\n", "h.yml:2:1 not YAML"],
    ["aliases that grow", "h.yml", bomb(), "holds more than 200000 values"],
    ["an alias in its own anchor", "h.yml", "a: &a\n  vars: *a\n", "h.yml:2:1 holds itself"],
    ["nothing", "h.yml", "", "h.yml:1:1 the file is empty"],
  ])("%s", (_, name, text, problem) => {
    expect(errorOf(() => imported({ [name]: text })).replaceAll(/ +/g, " ")).toContain(problem);
  });
});

function bomb(): string {
  const level = (n: number): string =>
    `l${n}: &l${n} {vars: {${Array.from({ length: 9 }, (_, i) => `a${i}: *l${n - 1}`).join(", ")}}}\n`;
  return `l0: &l0 {vars: {a: 1}}\n${Array.from({ length: 9 }, (_, i) => level(i + 1)).join("")}`;
}

test("users, ports, keys, jump hosts and sudo are taken over; what all have stands once", () => {
  const text = imported({
    hosts:
      "[web]\nweb1 ansible_host=10.0.1.1\nweb2 ansible_host=10.0.1.2 ansible_port=2222 ansible_become=no\n" +
      "[web:vars]\nansible_user=deploy\nansible_become=yes\nansible_ssh_common_args='-o ProxyJump=bastion.example.com'\n" +
      "ansible_ssh_private_key_file=~/.ssh/deploy\nansible_password=geheim\n",
  });
  expect(fleetOf(text).pools[0]?.nodes.map(({ ssh }) => ssh)).toMatchObject([
    {
      user: "deploy",
      port: 22,
      sudo: true,
      identity: "/home/ada/.ssh/deploy",
      jump: { host: "bastion.example.com" },
    },
    { user: "deploy", port: 2222, sudo: false, identity: "/home/ada/.ssh/deploy" },
  ]);
  expect(text).toContain("  user: deploy\n");
  expect(text).not.toContain("geheim");
  expect(text).toContain("a password is not taken over");
});

test("a host is in one pool only, and it is said where else it was", () => {
  const text = imported({
    hosts:
      "[web]\na\nb\n[east]\nb\nc\n[west]\na\n[lb]\nlb1\nlb2 ansible_host=lb1\n[bastion]\nbas ansible_user=ada\n",
  });
  const { pools, balancers } = fleetOf(text);
  expect(pools.map(({ name, nodes }) => [name, ...nodes.map((node) => node.name)])).toEqual([
    ["web", "a", "b"],
    ["east", "c"],
  ]);
  expect(balancers.map(({ name, socket }) => [name, socket.kind])).toEqual([["lb1", "ssh"]]);
  expect(text).toMatch(/# Of this group too, and in a pool above: b\./);
  expect(text).toMatch(/# - group west: its hosts are in web/);
  expect(text).toMatch(/# +jump: ada@bas # FILL IN/);
});

test("--group takes a group with all that is below it; one that is not there is named", () => {
  const files = { "hosts.yml": "site:\n  children:\n    web: {hosts: {a: , b: }}\n    db: {hosts: {c: }}\n" };
  const { pools } = fleetOf(imported(files, { groups: ["site"] }));
  expect(pools.map(({ name, nodes }) => [name, nodes.length])).toEqual([["site", 3]]);
  expect(errorOf(() => imported(files, { groups: ["wbe"] }))).toContain(
    'has no such group; did you mean "web"?',
  );
});

test("only variables that are asked for become the nodes', and only plain ones", () => {
  const files = {
    hosts: "[web]\na port=8001 secret=x\nb port=8002\n[web:vars]\nzone=1.10\nlist=[1]\ntemplate={{ zone }}\n",
    "group_vars/web.yml": "tls: yes\n",
  };
  const text = imported(files, { vars: ["port", "tls", "zone"] });
  const vars = fleetOf(text).pools[0]?.nodes.map((node) => node.vars);
  expect(vars?.map((one) => one["port"])).toEqual([{ value: "8001" }, { value: "8002" }]);
  expect(vars?.map((one) => one["tls"])).toEqual([{ value: "true" }, { value: "true" }]);
  expect(text).toContain("would be by --var NAME: list, template, secret.");
  expect(text).not.toContain("x}");
  expect(errorOf(() => imported(files, { vars: ["list"] }))).toMatch(
    /hosts:6:1 +--var list: list, hosts:6, is no plain text/,
  );
  expect(errorOf(() => imported(files, { vars: ["template"] }))).toContain("is a template");
});

test("a host whose address is a template, encrypted or nonsense is left out, with the line that says so", () => {
  const text = imported({
    "hosts.yml":
      "web:\n  hosts:\n    a:\n    b:\n      ansible_host: '{{ ip }}'\n    c: {ansible_host: !vault x}\n    d: {ansible_host: 'a b'}\n    e: {ansible_connection: docker}\n",
  });
  expect(fleetOf(text).pools[0]?.nodes.map(({ name }) => name)).toEqual(["a"]);
  expect(text).toContain("# - b (group web): ansible_host, hosts.yml:5, is a template");
  expect(text).toContain("# - c (group web): ansible_host, hosts.yml:6, is encrypted");
  expect(text).toContain('# - d (group web): "a b" is not a host\'s name or address, hosts.yml:7');
  expect(text).toContain('# - e (group web): ansible_connection "docker"');
});

test("an encrypted file beside the inventory is said, and the rest is read", () => {
  const text = imported({
    hosts: "[web]\na\n",
    "group_vars/web/vault.yml": "$ANSIBLE_VAULT;1.1;AES256\n31\n",
    "group_vars/web/vars.yml": "ansible_user: deploy\n",
  });
  expect(text).toContain("# - group_vars/web/vault.yml is encrypted, and was not read");
  expect(text).toContain("  user: deploy\n");
});

test.each([
  ["-o ProxyJump=ada@b.example.com:2222", "ada@b.example.com:2222"],
  ["-C -o 'ProxyJump b.example.com' -v", "b.example.com"],
  ["-J b.example.com", "b.example.com"],
  ['-o ProxyCommand="ssh -W %h:%p -q -p 2201 ada@b.example.com"', "ada@b.example.com:2201"],
  ["-o StrictHostKeyChecking=no", undefined],
  ["-o ProxyJump=a,b", { problem: "its way through another host is not plain: a,b" }],
  ["-o ProxyCommand='nc %h %p'", { problem: "its way through another host is not plain: nc %h %p" }],
])("the jump host in %s", (options, jump) => {
  expect(jumpIn(options)).toEqual(jump);
});

describe("whatever stands in the file, there is an inventory or an error that says why:", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "[web]",
      "[web:vars]",
      "[a:children]",
      "a=1",
      "web[1:3]",
      "'",
      '"',
      "\\",
      "#",
      " ",
      "\t",
      "=",
      "[",
      "]",
      "{",
      "}",
      ":",
      ",",
      "(",
      "ansible_host=",
      "ansible_port=22",
      "__proto__",
      "web",
      "a",
      "{{ x }}",
      "!vault",
      "&a",
      "*a",
      "<<",
      "- ",
      "  ",
      "hosts:",
      "vars:",
      "children:",
      "\r",
      "\u2028",
    ),
    fc.string({ maxLength: 6 }),
  );
  const text = fc
    .array(
      fc.tuple(piece, piece, fc.constantFrom("\n", " ", "")).map((parts) => parts.join("")),
      { maxLength: 14 },
    )
    .map((lines) => lines.join(""));
  test.each(["hosts.ini", "hosts.yml"])("%s", (file) => {
    fc.assert(
      fc.property(text, (content) => {
        try {
          const model = modelIn(content, file);
          reconcile(model);
          const variables = variablesOf(model, { ofGroup: () => new Map(), ofHost: () => new Map() });
          const loaded = { model, variables, notes: [] };
          fleetOf(write(sketchFromAnsible(loaded, { fleet: "shop", file, groups: [], vars: [] })));
        } catch (thrown) {
          if (!(thrown instanceof RotaError)) throw thrown;
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("words and values", () => {
    fc.assert(
      fc.property(text, (content) => {
        wordsIn(content);
        evaluated(content);
      }),
      { numRuns: 2_000 },
    );
  });
});

test("brackets in brackets without end are a text", () => {
  expect(evaluated("[".repeat(100_000))).toBe("[".repeat(100_000));
  expect(evaluated("[".repeat(100) + "]".repeat(100))).toBeInstanceOf(Array);
});

describe("what stands for too much, or can't be read, is refused", () => {
  test.each([
    [
      "variables of many hosts",
      `[web]\nh[1:20000] ${Array.from({ length: 60 }, (_, i) => `v${i}=1`).join(" ")}\n`,
    ],
    [
      "variables of all",
      `h[1:20000]\n[all:vars]\n${Array.from({ length: 1_000 }, (_, i) => `v${i}=1`).join("\n")}\n`,
    ],
    ["hosts in many groups", Array.from({ length: 60 }, (_, i) => `[g${i}]\nh[1:20000]`).join("\n")],
  ])("%s", (_, text) => {
    expect(errorOf(() => imported({ hosts: text }))).toMatch(/too much|too many/);
  });

  test("a name that is too long for a file has none", () => {
    const long = "h".repeat(300);
    expect(() => imported({ hosts: `${long}\nweb1\n`, "host_vars/web1.yml": "a: 1\n" })).not.toThrow(
      TypeError,
    );
    expect(errorOf(() => imported({ hosts: `${long}\n`, "host_vars/web1.yml": "a: 1\n" }))).not.toMatch(
      /ENAMETOOLONG/,
    );
  });

  test("a link that leads to itself", () => {
    const folder = mkdtempSync(join(tmpdir(), "rota-ansible-"));
    try {
      writeFileSync(join(folder, "hosts"), "web1\n");
      mkdirSync(join(folder, "group_vars/all"), { recursive: true });
      symlinkSync("loop", join(folder, "group_vars/all/loop"));
      expect(errorOf(() => loadAnsible("hosts", folder))).toMatch(/loop.*can't be read/s);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

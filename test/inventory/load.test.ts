import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RotaError } from "../../src/base/errors.ts";
import { loadInventory, readInventory } from "../../src/inventory/load.ts";
import { errorOf, faultsIn, here, rest, top, withNodes, withPool } from "./files.ts";

describe("a fault of the file is told with its line and column:", () => {
  test.each([
    [
      "a key whose likeness is there already",
      withPool("    nedes: [RELEASE]\n"),
      '6:5 pools.web: unknown key "nedes"; did you mean "needs"?',
    ],
    ["a key at the top", `${top}poolz: {}\n`, '3:1 unknown key "poolz"; did you mean "pools"?'],
    [
      "a key of a pool",
      withPool("    upgrad: x\n"),
      '6:5 pools.web: unknown key "upgrad"; did you mean "upgrade"?',
    ],
    [
      "a key like no other",
      withPool("    ready: { colour: red }\n"),
      '6:14 pools.web.ready: unknown key "colour"; accepted here: proof, ramp, every',
    ],
    [
      "a key of a node",
      withNodes("{ web1: { host: 10.0.1.1, severr: x } }"),
      '5:38 pools.web.nodes.web1: unknown key "severr"; did you mean "server"?',
    ],
    [
      "a key of a node's ssh",
      withNodes("{ web1: { host: 10.0.1.1, ssh: { prot: 22 } } }"),
      '5:45 pools.web.nodes.web1.ssh: unknown key "prot"; did you mean "port"?',
    ],
    [
      "a key of a variable",
      withPool("    vars: { A: { env: X, secrt: true } }\n"),
      '6:26 pools.web.vars.A: unknown key "secrt"; did you mean "secret"?',
    ],
    ["a missing key", withPool("").replace(/ {4}restart.*\n/, ""), "4:3 pools.web.restart: is missing"],
    [
      "a missing word",
      withPool("").replace("via: command, ", ""),
      "6:5 pools.web.restart.via: is missing; write command, systemd, gunicorn, uwsgi or none",
    ],
    [
      "a word that is none",
      withPool("    ready: { proof: passs }\n"),
      '6:21 pools.web.ready.proof: "passs" is not accepted here; write pass, rise or check',
    ],
    [
      "a duration without unit",
      withPool("    drain: { within: 60 }\n"),
      "6:22 pools.web.drain.within: 60 has no unit; write 60s",
    ],
    [
      "a duration with another unit",
      withPool("    drain: { within: 60sec }\n"),
      '6:22 pools.web.drain.within: "60sec" is not a duration; write 90s, 10m, 1.5h or 250ms',
    ],
    [
      "a duration below 0",
      withPool("    limits: { connect: -5s }\n"),
      '6:24 pools.web.limits.connect: "-5s" is not a duration; write 90s, 10m, 1.5h or 250ms',
    ],
    [
      "no duration at all",
      withPool("    limits:\n      connect:\n"),
      "7:7 pools.web.limits.connect: is empty; write a text, or leave the key out",
    ],
    [
      "a duration of 0",
      withPool("    drain: { within: 0.4ms }\n"),
      "6:22 pools.web.drain.within: must be longer than 0",
    ],
    [
      "a duration too long for a timer",
      withPool("    limits:\n      connect: 25d\n"),
      "7:16 pools.web.limits.connect: is too long; 24d at most",
    ],
    [
      "a node without an address",
      withNodes("\n      web1:\n      web2: 10.0.1.2\n"),
      "6:7 pools.web.nodes.web1: has no address; write 10.0.1.1, or { host: 10.0.1.1 }",
    ],
    [
      "a node with a map and no address",
      withNodes("\n      web1: { server: x }\n"),
      "6:7 pools.web.nodes.web1.host: is missing",
    ],
    [
      "a node whose address is a number",
      withNodes("\n      web1: 10.0\n"),
      "6:13 pools.web.nodes.web1: has no address; write 10.0.1.1, or { host: 10.0.1.1 }",
    ],
    ["no node", withNodes("{}"), "5:12 pools.web.nodes: is empty; name at least one"],
    [
      "an address that is none",
      withNodes("\n      web1: 10.0.1.300\n"),
      '6:13 pools.web.nodes.web1: "10.0.1.300" is not a host\'s name or address',
    ],
    [
      "an address with a port",
      withNodes("\n      web1: 10.0.1.1:2222\n"),
      '6:13 pools.web.nodes.web1: "10.0.1.1:2222" holds a port; write { host: 10.0.1.1, ssh: { port: 2222 } }',
    ],
    [
      "an address of a range that is none",
      withNodes("\n      web[4:5]: { host: '10.0.1.[255:256]' }\n"),
      '6:25 pools.web.nodes.web[4:5].host: "10.0.1.256" is not a host\'s name or address',
    ],
    [
      "a key that is there twice",
      `${top}fleet: x\npools: {}\n`,
      '3:1 "fleet" is here twice; first on line 1',
      "4:8 pools: is empty; name at least one",
    ],
    [
      "a node that is there twice",
      withNodes("\n      web1: 10.0.1.1\n      web1: 10.0.1.2\n"),
      '7:7 pools.web.nodes: "web1" is here twice; first on line 6',
    ],
    [
      "a node of a range that is there twice",
      withNodes("\n      web2: 10.0.1.1\n      web[1:3]: 10.0.1.[1:3]\n"),
      '7:7 pools.web.nodes.web[1:3]: "web2" is here twice; first on line 6',
    ],
    [
      "a node in two pools",
      `${withPool("")}  api:\n    nodes: { web1: 10.0.9.1 }\n${rest}`,
      '9:14 pools.api.nodes.web1: "web1" is here twice; first on line 5',
    ],
    [
      "two nodes that are one server",
      withNodes("\n      web1: 10.0.1.1\n      web2: { host: 10.0.1.2, server: web1 }\n"),
      '7:39 pools.web.nodes.web2.server: web2 and web1 (line 6) are the same server "web1" in the same backends',
    ],
    [
      "two nodes of two pools that are one server",
      `${withPool("    backends: [a, b]\n")}  api:\n    backends: [b]\n    nodes: { x: { host: h, server: web2 } }\n${rest}`,
      '11:36 pools.api.nodes.x.server: x and web2 (line 5) are the same server "web2" in the same backends',
    ],
    [
      "a range that is one server",
      withNodes("\n      web[1:2]: { host: 'h[1:2]', server: x }\n"),
      "6:43 pools.web.nodes.web[1:2].server: a range of nodes can't share one server; write them one by one",
    ],
    [
      "two ranges that differ",
      withNodes("\n      web[1:3]: 10.0.1.[1:2]\n"),
      "6:7 pools.web.nodes.web[1:3]: web[1:3] is 3 nodes, but 10.0.1.[1:2] is 2 hosts",
    ],
    [
      "a name that could end a command",
      withNodes("\n      'a;b': 10.0.1.1\n"),
      '6:7 pools.web.nodes.a;b: "a;b" is not a name; letters, digits and . _ : - are allowed',
    ],
    [
      "a server that could end a command",
      withNodes('{ web1: { host: h, server: "a\\nb" } }'),
      '5:39 pools.web.nodes.web1.server: "a\ufffdb" is not a name; letters, digits and . _ : - are allowed',
    ],
    [
      "a name that is too long once it is spread",
      withNodes(`{ "${"w".repeat(253)}[9999:10000]": "h[9999:10000]" }`),
      `5:14 pools.web.nodes.${"w".repeat(63)}…: "${"w".repeat(79)}…" is not a name; letters, digits and . _ : - are allowed`,
    ],
    [
      "a backend that could end a command",
      withPool("    backends: [app, 'b c']\n"),
      '6:21 pools.web.backends.1: "b c" is not a name; letters, digits and . _ : - are allowed',
    ],
    [
      "a balancer that is not there",
      withPool("    balancers: [lb1, lb22]\n"),
      '6:22 pools.web.balancers.1: unknown balancer "lb22"; did you mean "lb2"?',
    ],
    [
      "a balancer like no other",
      withPool("    balancers:\n      - foo\n"),
      '7:9 pools.web.balancers.0: unknown balancer "foo"; this file has lb1, lb2',
    ],
    [
      "a balancer named twice",
      withPool("    balancers: [lb1, lb1]\n"),
      "6:16 pools.web.balancers: names one of them twice",
    ],
    [
      "no balancer",
      withPool("").replace(/balancers: .*/, "balancers: {}"),
      "2:12 balancers: is empty; name at least one",
    ],
    [
      "a socket that is none",
      withPool("").replace("unix:", ""),
      '2:19 balancers.lb1: "/run/lb1.sock" is not a socket\'s address; write unix:/run/haproxy/admin.sock, tcp://10.0.0.2:9999 or ssh://lb3.example.net/run/haproxy/admin.sock',
    ],
    [
      "a socket for two",
      withPool("").replace("tcp://10.0.0.2:9999", "unix:/run//./lb1.sock"),
      "2:44 balancers.lb2: is the socket of lb1 too",
    ],
    [
      "a placeholder of nothing",
      withPool("").replace("{host}", "{hots}"),
      "7:19 pools.web.check.url: {hots} is not known here; did you mean {host}?",
    ],
    [
      "a placeholder in the body",
      withPool("").replace("_status' }", "_status', body: 'v{VERSION}' }"),
      "7:55 pools.web.check.body: {VERSION} is not known here; known: {host}, {node}, {server}",
    ],
    [
      "a placeholder that some nodes lack",
      withNodes("{ web1: { host: h, vars: { PORT: 1 } }, web2: h2, web3: h3 }").replace("8000", "{PORT}"),
      "7:19 pools.web.check.url: {PORT} is not known for web2 and 1 more; add it to their vars, or to the pool's",
    ],
    [
      "a url of another kind",
      withPool("").replace("http:", "ftp:"),
      '7:19 pools.web.check.url: "ftp://{host}:8000/_status" does not begin with http:// or https://',
    ],
    ["a url that is none", withPool("").replace("8000", "800000"), "7:19 pools.web.check.url: is not a URL"],
    [
      "a user that a shell would read",
      `${withPool("")}ssh: { user: "ada;reboot" }\n`,
      '8:14 ssh.user: "ada;reboot" is not a user\'s name',
    ],
    [
      "a user that ssh would take for an option",
      withNodes("{ web1: { host: h, ssh: { user: -oProxyCommand=x } } }"),
      '5:44 pools.web.nodes.web1.ssh.user: "-oProxyCommand=x" is not a user\'s name',
    ],
    [
      "one socket in two spellings, through SSH",
      withPool("").replace(/balancers: .*/, "balancers: { a: ssh://lb/run/x, b: ssh://ada@LB:22/run//x }"),
      "2:36 balancers.b: is the socket of a too",
    ],
    [
      "one socket in two spellings of an IPv6 address",
      withPool("").replace(/balancers: .*/, "balancers: { a: 'tcp://[::1]:9', b: 'tcp://[0:0::1]:9' }"),
      "2:37 balancers.b: is the socket of a too",
    ],
    [
      "a master that is the runtime socket",
      withPool("").replace(/balancers: .*/, "balancers: { a: { socket: unix:/x, master: unix:/x } }"),
      "2:44 balancers.a.master: is the socket of a too",
    ],
    [
      "a jump host that is none",
      `${top}ssh: { jump: a b }\n${withPool("").slice(top.length)}`,
      '3:14 ssh.jump: "a b" is not an SSH host; write bastion.example.net or ada@bastion.example.net:2222',
    ],
    [
      "a text that no command can be given",
      withPool('    upgrade: "a\\0b"\n'),
      "6:14 pools.web.upgrade: holds a NUL character, which no command can be given",
    ],
    [
      "a variable of rota's own",
      withPool("    vars:\n      ROTA_X: 1\n"),
      '7:7 pools.web.vars.ROTA_X: "ROTA_X" begins with ROTA_, which is for rota\'s own; choose another name',
    ],
    [
      "a variable of the node's own",
      withPool("    needs: [host]\n"),
      '6:13 pools.web.needs.0: "host" stands for the node\'s own; choose another name',
    ],
    [
      "a variable that no shell takes",
      withPool("    vars: { 'A=1;x': 1 }\n"),
      '6:13 pools.web.vars.A=1;x: "A=1;x" is not a variable\'s name; letters, digits and _ are allowed, and no digit first',
    ],
    [
      "a batch of nobody",
      withPool("    rollout: { batch: 0 }\n"),
      "6:23 pools.web.rollout.batch: 0 is too small; at least 1",
    ],
    [
      "a list with a batch of nobody",
      withPool("    rollout: { batch: [1, 0%] }\n"),
      "6:27 pools.web.rollout.batch.1: 0% is nobody; write a count, or a percent above 0",
    ],
    [
      "a list of no batch",
      withPool("    rollout: { batch: [] }\n"),
      "6:23 pools.web.rollout.batch: is empty; name at least one",
    ],
    [
      "a percent of nobody",
      withPool("    rollout: { batch: 0% }\n"),
      "6:23 pools.web.rollout.batch: 0% is nobody; write a count, or a percent above 0",
    ],
    [
      "a percent of more than all",
      withPool("    rollout: { min_serving: 101% }\n"),
      "6:29 pools.web.rollout.min_serving: is more than 100%",
    ],
    [
      "a number in quotes",
      withPool("    rollout: { max_failures: '1' }\n"),
      '6:30 pools.web.rollout.max_failures: "1" is a text; write 1 without quotes',
    ],
    [
      "a text without quotes",
      withPool("").replace("shop", "2024"),
      "1:8 fleet: 2024 is a number; put it in quotes to make it a text",
    ],
    [
      "an escape, which reaches no terminal",
      withPool("").replace("shop", '"\\e[31mred"'),
      '1:8 fleet: "[31mred" is not a name; letters, digits and . _ : - are allowed',
    ],
    ["a tab", `${top}pools:\n\tweb: {}\n`, "4:1 a tab; indent with spaces"],
    [
      "a second document",
      `${withPool("")}---\nfleet: x\n`,
      "8:1 a second document begins here; an inventory is one",
    ],
    ["a tag", withPool("    upgrade: !x y\n"), "6:14 tags are not read here (Unresolved tag: !x)"],
    ["a key that is a map", "? {a: b}\n: c\n", "1:3 a key must be plain text"],
    ["an alias of nothing", `${top}pools: *x\n`, "3:8 pools: nothing above is named &x"],
    ["an alias of itself", "fleet: &a [*a]\n", "1:12 fleet.0: nothing above is named &a"],
    ["an empty file", "", "1:1 the file is empty"],
    ["a file of comments", "# nothing\n", "1:1 the file is empty"],
    ["a file of text", "hello\n", '1:1 "hello" is not accepted here; write a map'],
    [
      "braces inside braces, once",
      withPool("").replaceAll("'", ""),
      '7:26 not YAML: inside { … } a text that holds "{" or "[" must be in quotes',
    ],
    [
      "brackets inside braces",
      withNodes("{ 'web[1:2]': 10.0.1.[1:2] }"),
      '5:33 not YAML: inside { … } a text that holds "{" or "[" must be in quotes',
    ],
    [
      "__proto__ as a node",
      withNodes("{ web1: h, __proto__: h }"),
      '5:23 pools.web.nodes: "__proto__" can\'t be a key',
    ],
  ])("%s", (_, text, ...faults) => {
    expect(faultsIn(text).filter((fault) => !fault.endsWith(" pools: is missing"))).toEqual(faults);
  });
});

test("faults of every kind are told at once, from the top of the file down", () => {
  const text = [
    "fleet: my shop",
    "balancers: { lb1: unix:/run/lb1.sock, lb1: unix:/run/lb2.sock }",
    "pools:",
    "  web:",
    "    balancers: [lb2]",
    "    nodes: { web1: 10.0.1, 'web[2:3]': 10.0.1.2 }",
    "    drain: { within: 60 }",
    "    restart: { via: command, run: '' }",
    "    chek: {}",
    "",
  ].join("\n");
  const error = errorOf(() => readInventory(text, "in ventories/shop.yml", here));
  expect(error.message.split("\n")).toEqual([
    "in ventories/shop.yml is not right; nothing was touched",
    '  in ventories/shop.yml:1:8  fleet: "my shop" is not a name; letters, digits and . _ : - are allowed',
    '  in ventories/shop.yml:2:39 balancers: "lb1" is here twice; first on line 2',
    "  in ventories/shop.yml:4:3  pools.web.check: is missing",
    '  in ventories/shop.yml:5:17 pools.web.balancers.0: unknown balancer "lb2"; did you mean "lb1"?',
    '  in ventories/shop.yml:6:20 pools.web.nodes.web1: "10.0.1" is not a host\'s name or address',
    "  in ventories/shop.yml:6:28 pools.web.nodes.web[2:3]: web[2:3] is a range, but 10.0.1.2 is one host",
    "  in ventories/shop.yml:7:22 pools.web.drain.within: 60 has no unit; write 60s",
    "  in ventories/shop.yml:8:35 pools.web.restart.run: is empty",
    '  in ventories/shop.yml:9:5  pools.web: unknown key "chek"; did you mean "check"?',
  ]);
  expect(error.code).toBe("INVENTORY");
  expect(error.next).toBe("mend the lines above, then: rota plan -i 'in ventories/shop.yml'");
});

test("of very many faults fifty are told, and the others counted", () => {
  const nodes = Array.from({ length: 70 }, (_, i) => `      web${i}:\n`).join("");
  const faults = faultsIn(withNodes(`\n${nodes}`));
  expect(faults).toHaveLength(51);
  expect(faults.at(-1)).toBe("  and 20 more");
});

test("lines end as Windows ends them, too, and a mark at the beginning doesn't count", () => {
  const fault = '6:5 pools.web: unknown key "upgrad"; did you mean "upgrade"?';
  expect(faultsIn(withPool("    upgrad: x\n").replaceAll("\n", "\r\n"))).toEqual([fault]);
  expect(faultsIn(`\ufeff${withPool("    upgrad: x\n")}`)).toEqual([fault]);
});

test("what comes from an alias is told where it stands", () => {
  const text = `${top}pools:\n  web: &web\n    nodes: { web1: h }\n    upgrad: x\n${rest}  api: *web\n`;
  expect(faultsIn(text)).toContain('6:5 pools.api: unknown key "upgrad"; did you mean "upgrade"?');
});

describe("a small file that would be large is refused:", () => {
  const tens = (what: string): string => `[${Array.from({ length: 10 }, () => what).join(", ")}]`;

  test("an alias bomb", () => {
    const levels = "bcdefgh".split("").map((name, i) => `${name}: &${name} ${tens(`*${"abcdefgh"[i]}`)}`);
    expect(faultsIn(`a: &a ${tens("x")}\n${levels.join("\n")}\n`)).toEqual([
      "1:1 holds more than 200000 values, each alias counted as what it stands for",
    ]);
  });

  test("one large block that many aliases name", () => {
    const block = `x: &x [${"1, ".repeat(1_000)}]\n`;
    const aliases = Array.from({ length: 300 }, (_, i) => `y${i}: *x\n`).join("");
    expect(faultsIn(block + aliases)).toHaveLength(1);
  });

  test("ranges of ranges", () => {
    const lines = Array.from({ length: 50 }, (_, i) => `      a${i}x[0:9999]: h[0:9999]\n`).join("");
    expect(faultsIn(withNodes(`\n${lines}`))).toEqual([
      "8:7 pools.web.nodes.a2x[0:9999]: from here on there are more than 20000 nodes",
    ]);
  });

  test("a check with a placeholder for everything", () => {
    const many = Array.from({ length: 5_000 }, (_, i) => `{A${i}}`).join("");
    expect(faultsIn(withPool("").replace("_status", many))).toEqual([
      "7:19 pools.web.check.url: holds more than 50 placeholders",
    ]);
  });
});

test.each([
  ["brackets", `fleet: ${"[".repeat(200_000)}`, "1:1"],
  ["brackets on many lines", "[\n".repeat(200), "101:1"],
  ["indentation", Array.from({ length: 300 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"), "202:1"],
  ["marks", `${"- ".repeat(100_000)}x`, "1:1"],
])("a file that is nested without end in %s is refused before it is parsed", (_, text, place) => {
  expect(faultsIn(text)).toEqual([`${place} is nested too deeply`]);
});

describe("a file on disk", () => {
  async function problemOf(content: string | Uint8Array): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "rota-inventory-"));
    try {
      await writeFile(join(folder, "shop.yml"), content);
      return errorOf(() => loadInventory("shop.yml", { ...here, folder })).message;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  test("is found from the folder that rota runs in", async () => {
    expect(await problemOf("fleet: shop\n")).toContain("shop.yml:1:1 pools: is missing");
  });

  test("that is not UTF-8 is told where the first wrong byte is", async () => {
    const latin1 = Buffer.concat([
      Buffer.from("fleet: shop\n# gr\u00fcn \ufffd: "),
      Buffer.from([0xfc, 0x6e]),
    ]);
    expect(await problemOf(latin1)).toContain(
      "shop.yml:2:11 a byte that is not UTF-8; save the file as UTF-8",
    );
    expect(await problemOf(Buffer.from([0xff, 0xfe, 0x66, 0]))).toContain(
      "shop.yml:1:1 a byte that is not UTF-8",
    );
  });

  test("that is larger than 1 MB is none", async () => {
    expect(await problemOf("#".repeat(1_048_577))).toBe(
      "the inventory shop.yml is larger than 1 MB, so it is no inventory; nothing was touched",
    );
  });

  test.each([
    ["/nowhere/shop.yml", "does not exist"],
    ["/dev/null/shop.yml", "does not exist"],
    ["/", "is a folder"],
    ["", "is a folder"],
  ])("%j: %s", (path, why) => {
    const error = errorOf(() => loadInventory(path, { ...here, folder: "/" }));
    expect(error.message).toBe(`the inventory ${path} ${why}; nothing was touched`);
    expect(error.code).toBe("INVENTORY");
  });

  test("whose name holds a NUL is told, too", () => {
    expect(errorOf(() => loadInventory("a\0b", here)).message).toContain("can't be read");
  });
});

describe("whatever the file holds, what is thrown is meant for people:", () => {
  const onlyRotaErrors = (text: string): void => {
    try {
      readInventory(text, "shop.yml", here);
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(RotaError);
      // oxlint-disable-next-line no-control-regex
      expect(String(thrown)).not.toMatch(/[\u0000-\u0008\u000b-\u001f]|\n\s+at |undefined|\[object/);
    }
  };
  // What means something to YAML or to us, so that it isn't all refused at the first sign.
  const signs = "[]{}:,-?&*!|>%@`'\"#~\n \t\0"
    .split("")
    .concat(["\n  ", ": ", "- ", "&a ", "*a", "<<", "---\n", "{A}"]);
  const word = fc.oneof(
    fc.constantFrom(...signs, "fleet", "pools", "nodes", "check", "url", "__proto__", "constructor", "[1:3]"),
    fc.string({ unit: "binary", maxLength: 5 }),
  );
  const anything = fc.array(word, { maxLength: 40 }).map((words) => words.join(""));

  test("text of any kind", () => {
    fc.assert(fc.property(anything, onlyRotaErrors), { numRuns: 200 });
  });

  test("text of any kind in the place of a value", () => {
    const values = [
      "shop",
      "unix:/run/lb1.sock",
      "10.0.1.1",
      "web2",
      "./restart",
      "'http://{host}:8000/_status'",
    ];
    fc.assert(
      fc.property(fc.constantFrom(...values), anything, fc.boolean(), (value, text, quoted) => {
        onlyRotaErrors(withPool("").replace(value, () => (quoted ? JSON.stringify(text) : text)));
      }),
      { numRuns: 300 },
    );
  });

  test("data of any kind under any key", () => {
    const keys = [
      "fleet",
      "balancers",
      "ssh",
      "nodes",
      "needs",
      "vars",
      "drain",
      "rollout",
      "limits",
      "check",
    ];
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.json(), (key, json) => {
        onlyRotaErrors(`${withPool("")}    ${key}: ${json}\n`);
        onlyRotaErrors(`${key}: ${json}\n`);
      }),
      { numRuns: 200 },
    );
  });
});

import { describe, expect, test } from "vitest";
import { shareOf } from "../../src/inventory/fleet.ts";
import { near, nearest } from "../../src/inventory/near.ts";
import { fill, placeholdersIn } from "../../src/inventory/placeholders.ts";
import { expand, withoutRange } from "../../src/inventory/ranges.ts";
import { isHost, parseSocket } from "../../src/inventory/socket.ts";

describe("ranges", () => {
  const pairs = (name: string, host: string): string[] | string => {
    const expansion = expand(name, host);
    return "problem" in expansion
      ? expansion.problem
      : expansion.nodes.map((node) => `${node.name} ${node.host}`);
  };

  test("one node is itself", () => {
    expect(pairs("web1", "10.0.1.1")).toEqual(["web1 10.0.1.1"]);
  });

  test("a range pairs names and hosts in order, wherever it stands in them", () => {
    expect(pairs("web[3:5]", "10.0.[13:15].1")).toEqual([
      "web3 10.0.13.1",
      "web4 10.0.14.1",
      "web5 10.0.15.1",
    ]);
    expect(pairs("[1:1]", "a[7:7]b")).toEqual(["1 a7b"]);
  });

  test("zeros in front are kept", () => {
    expect(pairs("web[08:10]", "10.0.1.[8:10]")).toEqual([
      "web08 10.0.1.8",
      "web09 10.0.1.9",
      "web10 10.0.1.10",
    ]);
    expect(pairs("web[0:1]", "10.0.1.[0:1]")).toEqual(["web0 10.0.1.0", "web1 10.0.1.1"]);
  });

  test.each([
    ["web[1:3]", "10.0.1.[1:2]", "web[1:3] is 3 nodes, but 10.0.1.[1:2] is 2 hosts"],
    ["web[1:3]", "10.0.1.1", "web[1:3] is a range, but 10.0.1.1 is one host"],
    ["web1", "10.0.1.[1:2]", "10.0.1.[1:2] is a range, but web1 is one node"],
    ["web[3:1]", "10.0.1.[3:1]", "[3:1] runs backwards"],
    ["web[01:100]", "h[1:100]", "[01:100]: with zeros in front both ends need the same number of digits"],
    ["a[1:2]b[1:2]", "h[1:2]", "a[1:2]b[1:2] holds two ranges; one is allowed"],
    ["web[1-3]", "h[1:3]", "web[1-3] holds brackets that are not a range; a range is [3:6]"],
    ["web1", "[::1]", "[::1] is written without brackets here: ::1"],
    ["web[0:10000]", "h[0:10000]", "[0:10000] is more than 10000 nodes"],
    ["web[0:999999999]", "h", "[0:999999999] is more than 10000 nodes"],
    ["web[0:9999999999]", "h", "web[0:9999999999] holds brackets that are not a range; a range is [3:6]"],
  ])("%s: %s is told as wrong", (name, host, problem) => {
    expect(pairs(name, host)).toBe(problem);
  });

  test("a key without its range is what must be a name", () => {
    expect(["web[3:6].x", "web[x]", "[1:2]"].map(withoutRange)).toEqual(["web0.x", "web[x]", "0"]);
  });
});

describe("sockets and hosts", () => {
  test.each([
    ["unix:/run/haproxy/admin.sock", { kind: "unix", path: "/run/haproxy/admin.sock" }],
    ["unix:/with a space", { kind: "unix", path: "/with a space" }],
    ["tcp://10.0.0.2:9999", { kind: "tcp", host: "10.0.0.2", port: 9999 }],
    ["tcp://lb1.example.net:1", { kind: "tcp", host: "lb1.example.net", port: 1 }],
    ["tcp://[fd00::2]:65535", { kind: "tcp", host: "fd00::2", port: 65_535 }],
    [
      "ssh://lb3/run/a b.sock",
      { kind: "ssh", user: undefined, host: "lb3", port: undefined, path: "/run/a b.sock" },
    ],
    ["ssh://a@b@lb3:2222/x", { kind: "ssh", user: "a@b", host: "lb3", port: 2_222, path: "/x" }],
    ["ssh://ada@[fd00::2]:22/x", { kind: "ssh", user: "ada", host: "fd00::2", port: 22, path: "/x" }],
  ])("%s is a socket's address", (text, socket) => {
    expect(parseSocket(text)).toEqual(socket);
  });

  test.each([
    "",
    "/run/haproxy.sock",
    "unix:run/haproxy.sock",
    "unix:",
    "unix:/a\0b",
    `unix:/${"a".repeat(107)}`,
    "tcp://10.0.0.2",
    "tcp://10.0.0.2:0",
    "tcp://10.0.0.2:65536",
    "tcp://10.0.0.2:99999999999",
    "tcp://10.0.0.256:1",
    "tcp://10.0.0.2:9999/",
    "tcp://fd00::2:9999",
    "tcp://[lb1]:9999",
    "tcp://user@lb1:9999",
    "tcp://lb1 :9999",
    "tcp://lb1:9999\n",
    "http://lb1:8404/stats",
    "ssh://lb3",
    "ssh://lb3/",
    "ssh:///run/haproxy.sock",
    "ssh://lb3:0/x",
    "ssh://lb3:/x",
    "ssh://fd00::2/x",
    "ssh://@lb3/x",
    "ssh://-oProxyCommand=x/y",
    "ssh://$(a)@lb3/x",
    "ssh://lb3/a\nb",
    `ssh://lb3/${"a".repeat(107)}`,
  ])("%j is none", (text) => {
    expect(parseSocket(text)).toBeUndefined();
  });

  test.each(["10.0.1.1", "web1", "web_1.example.net", "fd00::1", "::ffff:10.0.0.1", "1st.example.net"])(
    "%s is a host",
    (text) => {
      expect(isHost(text)).toBe(true);
    },
  );

  test.each([
    "",
    " ",
    "10.0.1",
    "10.0.1.256",
    "web1:22",
    "[::1]",
    "-oProxyCommand=x",
    "ada@web1",
    "web1/x",
    "web1\n",
    "$(x)",
    ".",
    "wéb",
    "a".repeat(254),
  ])("%j is none", (text) => {
    expect(isHost(text)).toBe(false);
  });
});

describe("shares", () => {
  test("a count is itself, however many there are", () => {
    expect(shareOf({ count: 3 }, 2, "down")).toBe(3);
    expect(shareOf({ count: 0 }, 2, "up")).toBe(0);
  });

  test("a batch's percent rounds down, to at least one", () => {
    const batches = [1, 3, 4, 7, 8].map((total) => shareOf({ percent: 25 }, total, "down"));
    expect(batches).toEqual([1, 1, 1, 1, 2]);
  });

  test("min_serving's percent rounds up", () => {
    const serving = [0, 1, 2, 3, 4].map((total) => shareOf({ percent: 50 }, total, "up"));
    expect(serving).toEqual([0, 1, 1, 2, 2]);
    expect(shareOf({ percent: 100 }, 7, "up")).toBe(7);
  });

  test("a whole number of servers stays whole, whatever percent it comes from", () => {
    for (let total = 1; total <= 100; total++) {
      for (let count = 1; count <= total; count++) {
        if ((count * 100) % total !== 0) continue; // only percents that a person would write
        expect(shareOf({ percent: (count * 100) / total }, total, "up")).toBe(count);
        expect(shareOf({ percent: (count * 100) / total }, total, "down")).toBe(count);
      }
    }
    expect(shareOf({ percent: 0.07 }, 10_000, "up")).toBe(7);
    expect(shareOf({ percent: 28.7 }, 1_000, "down")).toBe(287);
    expect(shareOf({ percent: 1.1 }, 1_000, "up")).toBe(11);
  });
});

describe("what was probably meant", () => {
  test("a slip or two, the closest first", () => {
    expect(near("web11", ["web1", "web12", "lb1", "web111"])).toEqual(["web1", "web12", "web111"]);
    expect(nearest("uprgade", ["upgrade", "restart"])).toBe("upgrade");
    expect(nearest("WEB", ["web"])).toBe("web");
  });

  test("nothing where nothing is close", () => {
    expect(nearest("nodes", ["balancers", "fleet"])).toBeUndefined();
    expect(nearest("", [])).toBeUndefined();
  });
});

describe("placeholders", () => {
  test("only a name in braces is one, each told once", () => {
    expect(placeholdersIn('{A} {B_2} {A} {} {"a": 1} { C } {1}')).toEqual(["A", "B_2"]);
  });

  test("a value is put in once, and never read again", () => {
    expect(fill("{A}/{B}/{C}", { A: "{B}", B: "$& $1" })).toBe("{B}/$& $1/{C}");
  });

  test("what every object has is no value", () => {
    expect(fill("{constructor}{__proto__}", {})).toBe("{constructor}{__proto__}");
  });
});

import { once } from "node:events";
import { chmod } from "node:fs/promises";
import net from "node:net";
import { setImmediate as tick } from "node:timers/promises";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { exchange } from "../../src/balancer/exchange.ts";
import type { DirectAddress } from "../../src/inventory/fleet.ts";
import { portOf } from "../fakes/app.ts";
import { type Fault, fakeHaproxy } from "../fakes/haproxy.ts";

const within = { connect: 1_000, reply: 1_000 };
const backends = { app: ["web1", "web2"] };
const drain = "set server app/web1 state drain";

test.each(["unix", "tcp"] as const)("a line and its answers go over %s", async (kind) => {
  await using haproxy = await fakeHaproxy({ backends, kind });
  expect(await exchange(haproxy.address, `${drain};show cli level`, 2, within)).toEqual(["", "admin"]);
  expect(haproxy.lines).toEqual([`${drain};show cli level`]);
  expect(haproxy.stateOf("app", "web1")).toBe("drain");
});

test("a socket that this user may not write to is closed to us, and may well have a HAProxy behind it", async () => {
  await using haproxy = await fakeHaproxy({ backends, kind: "unix" });
  const at = haproxy.address;
  if (at.kind !== "unix") expect.unreachable("a Unix socket was asked for");
  await chmod(at.path, 0);
  const asked = asNobody(() => exchange(at, "show cli level", 1, within));
  await expect(asked).rejects.toMatchObject({
    closedToUs: true,
    message: expect.stringContaining("this user may not write to"),
  });
  await expect(
    exchange({ ...at, path: `${at.path}.none` }, "show cli level", 1, within),
  ).rejects.toMatchObject({
    closedToUs: false,
  });
});

/** For root there is no socket that it may not open. A connect(2) to a Unix socket is done when it was asked for. */
function asNobody<T>(act: () => T): T {
  if (process.geteuid?.() !== 0) return act();
  process.seteuid?.(65_534);
  try {
    return act();
  } finally {
    process.seteuid?.(0);
  }
}

test("the end of the connection is not waited for", async () => {
  await using haproxy = await fakeHaproxy({ backends });
  haproxy.next("linger");
  const started = performance.now();
  expect(await exchange(haproxy.address, "show cli level", 1, within)).toEqual(["admin"]);
  expect(performance.now() - started).toBeLessThan(500);
});

test("however the bytes of an answer are split, it is the same answer", async () => {
  const bytes = Buffer.from('\n# pxname,last_chk\napp,"größer, 日本"\n\nPermission denied\n\n');
  const answers = ["", '# pxname,last_chk\napp,"größer, 日本"', "Permission denied"];
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat({ max: bytes.length }), { maxLength: 8 }), async (cuts) => {
      await using server = await answering(async (socket) => {
        let from = 0;
        for (const to of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
          socket.write(bytes.subarray(from, to));
          from = to;
          await tick();
        }
      });
      expect(await exchange(server.address, "any", 3, within)).toEqual(answers);
    }),
    { numRuns: 40 },
  );
});

test.each<[Fault, string]>([
  ["close", "the connection was closed without an answer, so nothing was done"],
  ["cut", "the connection was closed in the middle of an answer"],
  ["hang", "no whole answer within 200 ms"],
  ["drip", "no whole answer within 200 ms"],
])("a balancer that does %j gave no answer", async (fault, why) => {
  await using haproxy = await fakeHaproxy({ backends });
  haproxy.next(fault);
  const started = performance.now();
  await expect(
    exchange(haproxy.address, "show info;show servers state", 2, { ...within, reply: 200 }),
  ).rejects.toMatchObject({ name: "NoAnswer", message: why });
  expect(performance.now() - started).toBeLessThan(1_000);
});

test("a connection that is reset gave no answer", async () => {
  await using haproxy = await fakeHaproxy({ backends, kind: "tcp" });
  haproxy.next("reset");
  await expect(exchange(haproxy.address, "show info", 1, within)).rejects.toMatchObject({ name: "NoAnswer" });
});

test.each([
  ["between two answers", "\n", 2],
  ["after the header of a table", "# pxname,svname,status,\n", 1],
  ["after a row of a table", "# pxname,svname,status,\napp,web1,UP,\n", 1],
  ["after the first line of the states", "1\n", 1],
  ["after the first line of the info", "Name: HAProxy\n", 1],
  ["in a word", "No such ser", 1],
])("what ends %s is thrown away", async (_, answer, wanted) => {
  await using haproxy = await fakeHaproxy({ backends });
  haproxy.next({ answer });
  await expect(exchange(haproxy.address, "any", wanted, within)).rejects.toThrow(
    "the connection was closed in the middle of an answer",
  );
});

test("a message that ends with one newline only is an answer once the connection has ended", async () => {
  await using haproxy = await fakeHaproxy({ backends });
  haproxy.next({ answer: "\nThe command line is too big for the buffer size (16384).\n" });
  expect(await exchange(haproxy.address, "any", 2, within)).toEqual([
    "",
    "The command line is too big for the buffer size (16384).",
  ]);
});

test("a line that HAProxy would hang on for ever is never sent", async () => {
  await using haproxy = await fakeHaproxy({ backends });
  expect(() => exchange(haproxy.address, "x".repeat(8_193), 1, within)).toThrow(RangeError);
  expect(haproxy.lines).toEqual([]);
});

test("a balancer that can't be reached says what to look at", async () => {
  const unix = await fakeHaproxy({ backends });
  const tcp = await fakeHaproxy({ backends, kind: "tcp" });
  await Promise.all([unix[Symbol.asyncDispose](), tcp[Symbol.asyncDispose]()]);
  const ask = (at: DirectAddress) => exchange(at, "show info", 1, within);
  await expect(ask(unix.address)).rejects.toThrow(
    /^there is no socket at \/.*admin\.sock; is HAProxy running, with "stats socket .*admin\.sock level admin"/,
  );
  await expect(ask(tcp.address)).rejects.toThrow(
    /^nothing listens at tcp:\/\/127\.0\.0\.1:\d+; is HAProxy running\?$/,
  );
  await expect(ask({ kind: "tcp", host: "lb1.invalid", port: 9_999 })).rejects.toThrow(
    "tcp://lb1.invalid:9999",
  );
});

/** A server that says what the test wants to whoever connects. */
async function answering(
  say: (socket: net.Socket) => Promise<void>,
): Promise<AsyncDisposable & { address: DirectAddress }> {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => void say(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: { kind: "tcp", host: "127.0.0.1", port: portOf(server) },
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}

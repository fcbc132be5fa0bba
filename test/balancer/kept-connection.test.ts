import { once } from "node:events";
import net from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate as tick } from "node:timers/promises";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { connectTo } from "../../src/balancer/exchange.ts";
import { type Line, keptConnection } from "../../src/balancer/kept-connection.ts";
import { portOf } from "../fakes/app.ts";
import { fakeClock } from "../fakes/clock.ts";
import { type FakeHaproxy, type FakeHaproxyOptions, fakeHaproxy } from "../fakes/haproxy.ts";

const backends = { app: ["web1", "web2"] };
const within = { connect: 1_000, reply: 200 };
const info = "show info;show cli level";
const drain = "show info;set server app/web1 state drain";

interface Kept extends AsyncDisposable {
  haproxy: FakeHaproxy;
  line: Line;
  clock: ReturnType<typeof fakeClock>;
  /** Asks, and says which worker answered. */
  pid(): Promise<string | undefined>;
}

/** A connection that is kept already: of what was asked before, the first question had one of its own. */
async function kept(options: Partial<FakeHaproxyOptions> = {}): Promise<Kept> {
  const haproxy = await fakeHaproxy({ backends, ...options });
  const clock = fakeClock();
  const line = keptConnection((ms) => connectTo(haproxy.address, ms), within, clock);
  const pid = async (): Promise<string | undefined> => {
    const [said = ""] = await line.say(info, 2);
    return /^Pid: (\d+)$/m.exec(said)?.[1];
  };
  await pid();
  await pid();
  return { haproxy, line, clock, pid, [Symbol.asyncDispose]: () => haproxy[Symbol.asyncDispose]() };
}

test.each(["2.6", "3.4"] as const)(
  "who asks %s again and again does so on one connection",
  async (version) => {
    await using at = await kept({ version });
    for (let i = 0; i < 5; i += 1) expect((await at.line.say(info, 2))[1]).toBe("admin");
    expect(at.haproxy.connections).toBe(2);
    expect(at.haproxy.lines).toEqual(Array.from({ length: 7 }, () => info));
  },
);

test("who asks now and then has a connection for each question, and holds none", async () => {
  await using at = await kept();
  for (let i = 1; i <= 3; i += 1) {
    await at.clock.sleep(1_000);
    await at.pid();
    await at.clock.sleep(1_000);
    await at.pid();
    expect(at.haproxy.connections).toBe(2 + 2 * i);
  }
});

test("an order has a connection of its own, and so has what follows", async () => {
  await using at = await kept();
  expect((await at.line.say(drain, 2))[1]).toBe("");
  expect(at.haproxy.connections).toBe(3);
  await at.pid();
  await at.pid();
  expect(at.haproxy.connections).toBe(4);
});

test("a worker that was replaced is left for the new one", async () => {
  await using at = await kept();
  const old = `${at.haproxy.pid}`;
  at.haproxy.reload();
  expect(await at.pid()).toBe(old);
  at.line.leave();
  expect(await at.pid()).toBe(`${at.haproxy.pid}`);
});

test("no connection is kept for more than two seconds", async () => {
  await using at = await kept();
  for (let i = 0; i < 30; i += 1) {
    await at.clock.sleep(100);
    await at.pid();
  }
  expect(at.haproxy.connections).toBe(3);
});

test.each(["close", "reset"] as const)(
  "where HAProxy ends it (%s), the same is asked on a new one",
  async (fault) => {
    await using at = await kept({ kind: "tcp" });
    at.haproxy.next(fault);
    expect(await at.pid()).toBe(`${at.haproxy.pid}`);
    expect(at.haproxy.connections).toBe(3);
  },
);

test("a stream that ends between two questions, as ssh2's do, without being destroyed for Node.js, is not asked again", async () => {
  await using haproxy = await fakeHaproxy({ backends });
  const streams: Duplex[] = [];
  const line = keptConnection(async (ms) => {
    const stream = await connectTo(haproxy.address, ms);
    Object.defineProperty(stream, "destroyed", { value: false });
    streams.push(stream);
    return stream;
  }, within);
  for (let i = 0; i < 3; i += 1) await line.say(info, 2);
  expect(streams).toHaveLength(2);
  streams[1]?.emit("close");
  expect(await line.say(info, 2)).toHaveLength(2);
  expect(streams).toHaveLength(3);
});

test.each([
  ["cut", "the connection was closed in the middle of an answer"],
  ["hang", "no whole answer within 200 ms"],
  ["drip", "no whole answer within 200 ms"],
] as const)("after one that does %j what is asked next has a new connection", async (fault, why) => {
  await using at = await kept();
  at.haproxy.next(fault);
  await expect(at.pid()).rejects.toMatchObject({ name: "NoAnswer", message: why });
  expect(await at.pid()).toBe(`${at.haproxy.pid}`);
  expect(at.haproxy.connections).toBe(3);
});

test("however the bytes of an answer and of its prompts are split, it is the same answer", async () => {
  const first = Buffer.from("\n> 1\n# be_id\n3 größer\n\n> \n> ");
  const second = Buffer.from("1\n# be_id\n3 größer\n\n\n> ");
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(first, second),
      fc.uniqueArray(fc.nat({ max: first.length }), { maxLength: 8 }),
      async (bytes, cuts) => {
        const server = net.createServer((socket) => {
          // One answer on the connection of the first question, and then what is split.
          socket
            .on("error", () => {})
            .on("data", (asked) => {
              if (!asked.toString().startsWith("prompt")) return socket.end("1\n# be_id\n3 größer\n\n\n");
              void split(socket, bytes === first ? first : Buffer.concat([Buffer.from("\n"), second]), cuts);
            });
        });
        await once(server.listen(0, "127.0.0.1"), "listening");
        const at = { kind: "tcp", host: "127.0.0.1", port: portOf(server) } as const;
        const line = keptConnection((ms) => connectTo(at, ms), within);
        await line.say("show servers state;show cli", 2);
        expect(await line.say("show servers state;show cli", 2)).toEqual(["1\n# be_id\n3 größer", ""]);
        server.close();
      },
    ),
    { numRuns: 40 },
  );
});

async function split(socket: net.Socket, bytes: Buffer, cuts: number[]): Promise<void> {
  let from = 0;
  for (const to of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    socket.write(bytes.subarray(from, to));
    from = to;
    await tick();
  }
}

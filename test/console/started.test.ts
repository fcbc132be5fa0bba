/** Commands that are begun from the page: what is told of them, and what becomes of one that can't be begun. */
import { EventEmitter } from "node:events";
import { afterEach, expect, test, vi } from "vitest";
import { notYet, yes } from "../../src/base/poll.ts";
import { type Begun, starter } from "../../src/console/started.ts";
import { waitFor } from "../lab/wait.ts";

const faults = vi.hoisted(() => ({ spawn: undefined as (() => unknown) | undefined }));
vi.mock("node:child_process", async (original) => {
  const real = await original<typeof import("node:child_process")>();
  return {
    ...real,
    spawn: (...args: Parameters<typeof real.spawn>) => (faults.spawn ?? (() => real.spawn(...args)))(),
  };
});
afterEach(() => (faults.spawn = undefined));

const about = { by: "ann (console)", what: "drain web1" };
const inventory = "/etc/rota/the shop.yml";

/** What it prints stands for rota's own lines. */
const printing = (lines: object[]) =>
  starter(
    [
      process.execPath,
      "-e",
      `for (const line of ${JSON.stringify(lines)}) console.log(JSON.stringify(line))`,
    ],
    { env: process.env, cwd: "/", inventory },
    () => undefined,
  );

const ended = (one: Begun): Promise<Begun> =>
  waitFor("its end", 10_000, async () => (one.code === undefined ? notYet("runs") : yes(one)));

test("what to do next is told without the way to the inventory: viewers see it too", async () => {
  using begun = printing([
    {
      type: "run ended",
      run: "ab12",
      problem: "web1: /etc/rota/the shop.yml says so",
      left: "web1 is out",
      next: "rota resume ab12 -i '/etc/rota/the shop.yml' --retry, or rota status -i '/etc/rota/the shop.yml'",
    },
  ]);
  expect(await ended(begun.start([], about))).toMatchObject({
    run: "ab12",
    problem: "web1: the inventory says so",
    left: "web1 is out",
    next: "rota resume ab12 --retry, or rota status",
  });
});

test("where no process can be begun, for want of files, it is said, and the console lives", async () => {
  // As Node 20 does for EMFILE: no streams, and an error at the next turn.
  faults.spawn = () => {
    const child = new EventEmitter();
    process.nextTick(() => child.emit("error", new Error("spawn node EMFILE")) && child.emit("close", -24));
    return child;
  };
  using begun = printing([]);
  for (let i = 0; i < 15; i++) {
    const one = begun.start([], about);
    expect(await ended(one)).toMatchObject({
      code: 70,
      problem: "it could not be started: spawn node EMFILE",
    });
  }
});

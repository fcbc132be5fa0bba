import { expect, test } from "vitest";
import {
  AnswerError,
  openRuntime,
  setState,
  showCliLevel,
  showInfo,
  showServers,
  showServersState,
} from "../../src/balancer/haproxy.ts";
import { fakeHaproxy } from "../fakes/haproxy.ts";

const backends = { app: ["web1", "web2"] };
const web1 = { backend: "app", server: "web1" };

test("all that is asked goes on one line, and each answer is read by its own command", async () => {
  await using haproxy = await fakeHaproxy({ backends });
  const [info, done, states, rows] = await openRuntime(haproxy.address).ask(
    showInfo(),
    setState(web1, "drain"),
    showServersState("app"),
    showServers(),
  );
  expect(info).toEqual({ version: "2.6.12-1+deb12u3", pid: haproxy.pid, stopping: false });
  expect(done).toBeUndefined();
  expect(states.map(({ server, admin }) => [server, admin])).toEqual([
    ["web1", 8],
    ["web2", 0],
  ]);
  expect(rows.map(({ status }) => status)).toEqual(["DRAIN", "UP"]);
  expect(haproxy.lines).toEqual([
    "show info;set server app/web1 state drain;show servers state app;show stat -1 4 -1",
  ]);
});

test("HAProxy 3's other columns are read alike", async () => {
  await using haproxy = await fakeHaproxy({ backends, version: "3.4" });
  Object.assign(haproxy.server("app", "web1"), { lastCheck: 'a "b", c', sessions: 5 });
  const [rows] = await openRuntime(haproxy.address).ask(showServers());
  expect(rows[0]).toMatchObject({ server: "web1", status: "UP", sessions: 5, lastCheck: 'L7OK a "b", c' });
});

test("a balancer is asked one question at a time", async () => {
  await using haproxy = await fakeHaproxy({ backends });
  const runtime = openRuntime(haproxy.address);
  const answers = await Promise.all(Array.from({ length: 20 }, () => runtime.ask(showCliLevel())));
  expect(answers.flat()).toEqual(Array.from({ length: 20 }, () => "admin"));
  expect(haproxy.mostAtOnce).toBe(1);
});

test("a question that failed does not hold up the next", async () => {
  await using haproxy = await fakeHaproxy({ backends });
  const runtime = openRuntime(haproxy.address, { connect: 1_000, reply: 100 });
  haproxy.next("hang", "close");
  const asked = await Promise.allSettled([1, 2, 3].map(() => runtime.ask(showCliLevel())));
  expect(asked.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
});

test("a command that was refused says which, and the others of its line were carried out", async () => {
  await using haproxy = await fakeHaproxy({ backends });
  const asking = openRuntime(haproxy.address).ask(
    setState({ backend: "app", server: "web9" }, "drain"),
    setState(web1, "drain"),
  );
  await expect(asking).rejects.toThrow(AnswerError);
  await expect(asking).rejects.toThrow(
    'no such server: HAProxy answers "No such server." to "set server app/web9 state drain"',
  );
  expect(haproxy.stateOf("app", "web1")).toBe("drain");
});

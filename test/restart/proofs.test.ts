/** What shows that a restart was one. */
import { describe, expect, test } from "vitest";
import { restartWay } from "../../src/restart/ways.ts";
import type { RestartProof } from "../../src/rotation/restart-way.ts";
import type { Restart } from "../../src/inventory/fleet-restart.ts";

const proofOf = (restart: Restart): RestartProof => {
  const { proof } = restartWay({ restart }, { RELEASE: "42" });
  if (!proof) return expect.unreachable("it has no proof");
  return proof;
};

const unit = (over: Record<string, string> = {}): string =>
  Object.entries({
    LoadState: "loaded",
    ActiveState: "active",
    SubState: "running",
    Result: "success",
    MainPID: "100",
    InvocationID: "aaa",
    ...over,
  })
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");

describe("a systemd unit", () => {
  const proof = proofOf({ via: "systemd", unit: "my_app" });

  test("must be active, in another invocation, with another main process", () => {
    expect(proof.judge(unit(), unit({ MainPID: "200", InvocationID: "bbb" })).done).toBe(true);
    expect(proof.judge(unit(), unit())).toEqual({ done: false, saw: "still the old one, 100" });
    expect(proof.judge(unit(), unit({ InvocationID: "bbb" })).done).toBe(false);
    expect(proof.judge(unit(), unit({ MainPID: "200" })).done).toBe(false);
  });

  test("that was down before has only to run", () => {
    const down = unit({ ActiveState: "inactive", MainPID: "0", InvocationID: "" });
    expect(proof.judge(down, unit()).done).toBe(true);
    expect(proof.judge(undefined, unit()).done).toBe(true);
  });

  test("that systemd tries to start once more is waited for; one that failed is not", () => {
    const again = unit({ ActiveState: "activating", SubState: "auto-restart", Result: "exit-code" });
    expect(proof.judge(unit(), again)).toMatchObject({
      done: false,
      saw: expect.stringContaining("exit-code"),
    });
    const failed = unit({ ActiveState: "failed", SubState: "failed", Result: "exit-code", MainPID: "0" });
    expect(() => proof.judge(unit(), failed)).toThrow("my_app is failed (failed), result exit-code");
  });

  test("that is missing or masked can't be restarted", () => {
    expect(proof.unfit(unit(), true)).toBeUndefined();
    expect(proof.unfit(unit({ LoadState: "not-found" }), true)).toBe("there is no unit my_app");
    expect(proof.unfit(unit({ LoadState: "masked" }), true)).toContain("systemctl unmask my_app");
    expect(proof.unfit(undefined, true)).toContain("nothing");
  });
});

describe("a field of the page", () => {
  const command = (field: string, is?: string): Restart => ({
    via: "command",
    run: "x",
    proof: { field, is },
  });

  test("must be another than before", () => {
    const { judge, unfit } = proofOf(command("pid"));
    expect(unfit("1", true)).toBeUndefined();
    expect(unfit(undefined, true)).toContain("its page gives no pid now");
    expect(unfit(undefined, false)).toBeUndefined(); // it is down
    expect(judge("1", "2").done).toBe(true);
    expect(judge(undefined, "2").done).toBe(true);
    expect(judge("1", "1")).toEqual({ done: false, saw: 'pid is still "1"' });
    expect(judge("1", undefined)).toEqual({ done: false, saw: "the page gives no pid" });
  });

  test("or what it is to be, with the release filled in", () => {
    const { judge } = proofOf(command("version", "r{RELEASE}"));
    expect(judge("r41", "r42").done).toBe(true);
    expect(judge("r42", "r42").done).toBe(true);
    expect(judge("r41", "r41")).toEqual({ done: false, saw: 'version is "r41"' });
  });
});

test("a gunicorn that nobody runs, or that is a unit's main process, can't be told to load the app anew", () => {
  const restart = {
    via: "gunicorn",
    pidfile: "/run/a.pid",
    surge: 1,
    bootWithin: 1_000,
    notice: "state",
  } as const;
  const { unfit, judge } = proofOf({ ...restart, how: "restart" });
  expect(unfit("12 345 ", true)).toBeUndefined();
  expect(unfit(undefined, true)).toContain("no process runs by the pid file /run/a.pid");
  expect(unfit("12 345 my_app.service", true)).toContain("restart: { via: systemd, unit: my_app.service }");
  expect(judge("12 345 ", "12 345 ").done).toBe(false);
  expect(judge("12 345 ", "12 346 ").done).toBe(true);

  const workers = proofOf({ ...restart, how: "workers" });
  expect(workers.unfit("12 345 my_app.service", true)).toBeUndefined();
  expect(workers.judge("12 345 ", "12 345 ").done).toBe(true);
  expect(workers.judge("12 345 ", "12 346 ")).toMatchObject({ done: false });
});

test("a uWSGI that nobody runs can't be told to load the app anew; the same master must run afterwards", () => {
  const { unfit, judge, look } = proofOf({
    via: "uwsgi",
    stats: "/run/{RELEASE}.sock",
    fifo: undefined,
    touch: undefined,
    how: "workers",
    spare: false,
    bootWithin: 1_000,
    notice: "state",
  });
  expect(look).toMatchObject({ variables: { ROTA_STATS: "/run/42.sock" } });
  expect(unfit("12 345", true)).toBeUndefined();
  expect(unfit(undefined, true)).toContain("nothing answers at /run/42.sock as uWSGI's stats server does");
  expect(judge("12 345", "12 345").done).toBe(true);
  expect(judge("12 345", undefined)).toEqual({ done: false, saw: "it is none now" });
});

test("nothing to restart is nothing to prove", () => {
  expect(restartWay({ restart: { via: "none" } }, {})).toEqual({});
});

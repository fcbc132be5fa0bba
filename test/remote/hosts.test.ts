import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { RotaError } from "../../src/base/errors.ts";
import { sshHosts, type SshHostsOptions } from "../../src/remote/hosts.ts";
import type { CommandOptions, Hosts, Outcome, OutputLine } from "../../src/rotation/ports.ts";
import { fakeHost, type FakeHost } from "../fakes/ssh-host.ts";

const hostsFor = (more: Partial<SshHostsOptions> = {}): Hosts & AsyncDisposable =>
  sshHosts({ connectWithin: () => 5_000, ...more });

interface Ran {
  outcome: Outcome;
  output: OutputLine[];
}

async function runOn(
  host: FakeHost,
  script: string,
  options: Partial<CommandOptions> = {},
  more: Partial<SshHostsOptions> = {},
): Promise<Ran> {
  await using hosts = hostsFor(more);
  return await run(hosts, host, script, options);
}

async function run(
  hosts: Hosts,
  host: FakeHost,
  script: string,
  options: Partial<CommandOptions> = {},
): Promise<Ran> {
  const output: OutputLine[] = [];
  const outcome = await hosts.run(host.node("web1"), script, {
    variables: {},
    within: 10_000,
    signal: new AbortController().signal,
    onOutput: (line) => output.push(line),
    ...options,
  });
  return { outcome, output };
}

const unknown = { kind: "unknown", why: "the connection ended before the command answered" };

test("a script runs with its variables, and what it says comes line by line", async () => {
  await using host = await fakeHost();
  const script = 'echo "$RELEASE"; echo "it is $NAME" >&2; pwd';
  const { outcome, output } = await runOn(host, script, {
    variables: { RELEASE: "42", NAME: "o'neill; $(id)" },
  });
  expect(outcome).toEqual({ kind: "done" });
  expect(output.filter((line) => line.stream === "stdout").map((line) => line.text)).toEqual([
    "42",
    host.folder,
  ]);
  expect(output).toContainEqual({ stream: "stderr", text: "it is o'neill; $(id)" });
  expect(host.commands).toEqual([script]);
});

test("the command line is the same for every script, so no value shows in a process list", async () => {
  await using host = await fakeHost();
  await using hosts = hostsFor();
  const { output } = await run(hosts, host, "cat /proc/$$/cmdline | tr '\\0' ' '", {
    variables: { TOKEN: "s3cret" },
  });
  await run(hosts, host, "true");
  expect(new Set(host.commandLines).size).toBe(1);
  expect(output.map((line) => line.text).join()).toMatch(/^\/bin\/sh -euc/);
  expect(output.map((line) => line.text).join() + host.commandLines.join()).not.toContain("s3cret");
});

test.each([
  ["exit 3", { kind: "failed", why: "exit code 3" }],
  ["false; echo not reached", { kind: "failed", why: "exit code 1" }],
  ['echo "$MISSING"', { kind: "failed", why: "exit code 2" }],
  ["kill -KILL $$", { kind: "failed", why: "killed by SIGKILL" }],
])("%s ends as %o", async (script, expected) => {
  await using host = await fakeHost();
  const { outcome, output } = await runOn(host, script);
  expect(outcome).toEqual(expected);
  expect(output.filter((line) => line.stream === "stdout")).toEqual([]);
});

test("a host that dies during a command leaves it unknown, and the next open connects again", async () => {
  await using host = await fakeHost();
  await using hosts = hostsFor();
  host.dieDuring(/upgrade/);
  const script = "echo upgrade > started; sleep 0.2; echo > ended";
  expect(await run(hosts, host, script)).toMatchObject({ outcome: unknown });
  expect(host.commands).toEqual([script]);
  await expect.poll(() => readFile(join(host.folder, "ended"), "utf8").catch(() => "")).toBe("\n");

  await hosts.open(host.node("web1"));
  expect(await run(hosts, host, "echo back")).toMatchObject({ outcome: { kind: "done" } });
  expect(host.connections).toBe(2);
});

test("a host that freezes during a command is noticed by keepalive", async () => {
  await using host = await fakeHost();
  await using hosts = hostsFor({ keepalive: { interval: 100, count: 2 } });
  const running = run(hosts, host, "echo started; sleep 5", { onOutput: () => host.freeze() });
  expect(await running).toMatchObject({ outcome: unknown });
});

test("a long silent command is not taken for a frozen host", async () => {
  await using host = await fakeHost();
  expect(await runOn(host, "sleep 1", {}, { keepalive: { interval: 50, count: 2 } })).toEqual({
    outcome: { kind: "done" },
    output: [],
  });
});

test("a daemon that holds the output does not hold rota", async () => {
  await using host = await fakeHost();
  const started = performance.now();
  const { outcome, output } = await runOn(host, "sleep 8 & echo started; exit 3");
  expect(outcome).toEqual({ kind: "failed", why: "exit code 3" });
  expect(output).toEqual([{ stream: "stdout", text: "started" }]);
  expect(performance.now() - started).toBeLessThan(4_000);
});

test("a command that runs too long is unknown, and goes on", async () => {
  await using host = await fakeHost();
  const { outcome, output } = await runOn(host, "echo started; sleep 0.6; echo > ended", { within: 300 });
  expect(outcome).toEqual({ kind: "unknown", why: "still running after 300ms; it may go on" });
  expect(output).toEqual([{ stream: "stdout", text: "started" }]);
  await expect.poll(() => readFile(join(host.folder, "ended"), "utf8").catch(() => "")).toBe("\n");
});

test("whoever stops waiting gets unknown at once, and no output afterwards", async () => {
  await using host = await fakeHost();
  await using hosts = hostsFor();
  const stop = new AbortController();
  const seen: string[] = [];
  const onOutput = ({ text }: OutputLine): void => {
    seen.push(text);
    stop.abort();
  };
  const { outcome } = await run(hosts, host, "echo one; sleep 0.3; echo two; sleep 5", {
    signal: stop.signal,
    onOutput,
  });
  expect(outcome).toEqual({ kind: "unknown", why: "stopped waiting for it; it may go on" });
  await wait(500);
  expect(seen).toEqual(["one"]);
  expect(await run(hosts, host, "true")).toMatchObject({ outcome: { kind: "done" } });
  expect(host.connections).toBe(1);
});

test("a command that was stopped before it began never runs", async () => {
  await using host = await fakeHost();
  await using hosts = hostsFor();
  await hosts.open(host.node("web1"));
  const { outcome } = await run(hosts, host, "echo > ran", { signal: AbortSignal.abort() });
  expect(outcome).toEqual({ kind: "failed", why: "the command was not started: stopped before" });
  await wait(100);
  expect(host.commands).toEqual([]);
});

test("much output on both streams arrives whole", async () => {
  await using host = await fakeHost();
  const script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; seq 20000 >&2";
  const { outcome, output } = await runOn(host, script);
  expect(outcome).toEqual({ kind: "done" });
  expect(output.filter((line) => line.stream === "stdout").at(-1)).toEqual({
    stream: "stdout",
    text: "line 19999",
  });
  expect(output).toHaveLength(40_000);
});

test("two who open at once share one connection, and so do later commands", async () => {
  await using host = await fakeHost();
  await using hosts = hostsFor();
  await Promise.all([hosts.open(host.node("web1")), hosts.open(host.node("web1"))]);
  await run(hosts, host, "true");
  expect(host.connections).toBe(1);
});

test("a connection that died unused is forgotten", async () => {
  await using host = await fakeHost();
  await using hosts = hostsFor();
  await hosts.open(host.node("web1"));
  host.cut();
  await wait(100);
  await hosts.open(host.node("web1"));
  expect(host.connections).toBe(2);
});

test("a connect that failed is tried again by the next open", async () => {
  await using host = await fakeHost();
  await using hosts = hostsFor();
  const knownHosts = join(host.folder, "later");
  const node = { ...host.node("web1"), ssh: { ...host.node("web1").ssh, knownHosts } };
  await expect(hosts.open(node)).rejects.toMatchObject({ code: "HOST_KEY" });
  await writeFile(knownHosts, await readFile(host.knownHosts));
  await hosts.open(node);
});

test("closing a node ends its connection and its command, and it can be opened again", async () => {
  await using host = await fakeHost();
  await using hosts = hostsFor();
  const running = run(hosts, host, "echo started; sleep 5", {
    onOutput: () => hosts.close(host.node("web1")),
  });
  expect(await running).toMatchObject({ outcome: unknown });
  await hosts.open(host.node("web1"));
  expect(host.connections).toBe(2);
});

test("disposal ends what is connected and what is connecting, and nothing connects afterwards", async () => {
  await using stalled = await fakeHost({ stall: true });
  await using host = await fakeHost();
  const hosts = hostsFor();
  await hosts.open(host.node("web1"));
  const connecting = hosts.open(stalled.node("web2"));
  const refused = expect(connecting).rejects.toMatchObject({ code: "INTERRUPTED" });
  await expect.poll(() => stalled.connections).toBe(1);
  await hosts[Symbol.asyncDispose]();
  await refused;
  await expect(hosts.open(host.node("web1"))).rejects.toMatchObject({ code: "INTERRUPTED" });
});

test("disposal does not wait for a host that is frozen", async () => {
  await using host = await fakeHost();
  const hosts = hostsFor();
  await hosts.open(host.node("web1"));
  host.freeze();
  const started = performance.now();
  await hosts[Symbol.asyncDispose]();
  expect(performance.now() - started).toBeLessThan(1_000);
});

test("a variable that no shell can name is a defect of the caller, and nothing is connected for it", async () => {
  await using host = await fakeHost();
  await expect(runOn(host, "true", { variables: { "A B": "" } })).rejects.toThrow(RangeError);
  expect(host.connections).toBe(0);
});

test("a command that may not start any more is not sent, and the channel is closed", async () => {
  await using host = await fakeHost();
  await using hosts = sshHosts({ connectWithin: () => 5_000 });
  const lost = new RotaError("LEASE_LOST", { problem: "somebody else's now" });
  const running = hosts.run(host.node("web1"), "touch done", {
    variables: {},
    within: 5_000,
    signal: new AbortController().signal,
    onOutput: () => undefined,
    mayStart: () => Promise.reject(lost),
  });
  await expect(running).rejects.toBe(lost);
  expect(host.commands).toEqual([]);
});

test("on a new connection, no script follows a password that sudo takes no more", async () => {
  await using host = await fakeHost();
  await writeFile(
    join(host.folder, "sudo"),
    `#!/bin/sh
IFS= read -r password
[ "$password" = right ] && [ ! -e "$HOME/refuses" ] || { cat >"$HOME/more"; echo "Sorry, try again." >&2; exit 1; }
shift 4
exec "$@"
`,
  );
  await chmod(join(host.folder, "sudo"), 0o755);
  host.path = `${host.folder}:${process.env["PATH"]}`;
  await using hosts = hostsFor({ sudoPassword: async () => "right" });
  const node = host.node("web1");
  const asRoot = { ...node, ssh: { ...node.ssh, sudo: "password" as const } };
  const options = {
    variables: { TOKEN: "tooth-fairy" },
    within: 10_000,
    signal: new AbortController().signal,
    onOutput: () => undefined,
  };
  await hosts.open(asRoot);
  expect(await hosts.run(asRoot, "true", options)).toEqual({ kind: "done" });
  await host.write("refuses");
  hosts.close(asRoot);
  const refused = await hosts.run(asRoot, "true", options).catch((thrown: unknown) => thrown);
  expect(refused).toMatchObject({
    code: "HOST_LOGIN",
    message: expect.stringContaining("Sorry, try again."),
  });
  expect(await readFile(join(host.folder, "more"), "utf8")).toBe("");
});

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Node } from "../../src/inventory/fleet.ts";
import { portOf } from "../fakes/app.ts";
import { sshHosts } from "../../src/remote/hosts.ts";
import type { Outcome } from "../../src/rotation/ports.ts";

const program = "/usr/sbin/sshd";
const inBash = userInfo().shell?.endsWith("/bash") ?? false;

describe.skipIf(!existsSync(program))("with the real sshd", () => {
  test.each(["ed25519", "ecdsa", "rsa"])(
    "a script runs on a host of which only the %s key is known",
    async (type) => {
      await using sshd = await realSshd();
      await sshd.know(type);
      const { outcome, output } = await sshd.run('echo "$A"; echo "$USER" >&2', { A: "it's" });
      expect(outcome).toEqual({ kind: "done" });
      expect(output.toSorted()).toEqual([`stderr ${userInfo().username}`, "stdout it's"].toSorted());
    },
  );

  test("an exit code and a signal are told as what they are", async () => {
    await using sshd = await realSshd();
    expect((await sshd.run("exit 7")).outcome).toEqual({ kind: "failed", why: "exit code 7" });
    expect((await sshd.run("kill -TERM $$")).outcome).toEqual({ kind: "failed", why: "killed by SIGTERM" });
  });

  test("a daemon that holds the output does not hold rota", async () => {
    await using sshd = await realSshd();
    const started = performance.now();
    const { outcome, output } = await sshd.run("(sleep 8 &) ; echo started");
    expect(outcome).toEqual({ kind: "done" });
    expect(output).toEqual(["stdout started"]);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test.skipIf(!inBash)("a login shell that greets and sets odd options does no harm", async () => {
    await using sshd = await realSshd(
      "echo welcome; set -fu; IFS=:; shopt -s expand_aliases; alias echo=false",
    );
    const { outcome, output } = await sshd.run("echo one two; ls / | grep -c tmp");
    expect(outcome).toEqual({ kind: "done" });
    expect(output).toEqual(["stdout welcome", "stdout one two", "stdout 1"]);
  });

  test.skipIf(!inBash)("a login shell that eats the script leaves it not run, and said so", async () => {
    await using sshd = await realSshd("read -r eaten");
    const { outcome, output } = await sshd.run("echo ran");
    expect(outcome).toEqual({ kind: "failed", why: "exit code 75" });
    expect(output).toEqual(["stderr rota: the script did not arrive whole; nothing was run"]);
  });

  test("a host that allows only a post-quantum key exchange is told by its cause", async () => {
    await using sshd = await realSshd("", "KexAlgorithms sntrup761x25519-sha512@openssh.com");
    await expect(sshd.run("true")).rejects.toThrow("post-quantum");
  });
});

interface Sshd extends AsyncDisposable {
  /** Lets known_hosts hold the one key of this type. */
  know(type: string): Promise<void>;
  run(script: string, variables?: Record<string, string>): Promise<{ outcome: Outcome; output: string[] }>;
}

/** @param startup What the login shell does before the command (bash reads ~/.bashrc, as it does for sshd). */
async function realSshd(startup = "", more = ""): Promise<Sshd> {
  const folder = await mkdtemp(join(tmpdir(), "rota-sshd-"));
  const at = (name: string): string => join(folder, name);
  if (userInfo().uid === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 }); // sshd insists
  const types = ["ed25519", "ecdsa", "rsa"];
  for (const type of types) execFileSync("ssh-keygen", ["-q", "-t", type, "-N", "", "-f", at(type)]);
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at("id")]);
  await writeFile(at(".bashrc"), startup);
  const port = await freePort();
  const config = [
    ...types.map((type) => `HostKey ${at(type)}`),
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `AuthorizedKeysFile ${at("id.pub")}`,
    `PidFile ${at("pid")}`,
    "StrictModes no",
    "UsePAM no",
    "PermitRootLogin yes",
    `SetEnv HOME=${folder}`, // so that our .bashrc is read, and no one else's,
    more,
  ];
  await writeFile(at("config"), `${config.join("\n")}\n`);
  const sshd = spawn(program, ["-D", "-e", "-f", at("config")], { stdio: ["ignore", "ignore", "pipe"] });
  await once(sshd.stderr, "data"); // "Server listening on …"
  sshd.stderr.resume();

  const { username: user } = userInfo();
  const ssh = { user, port, identity: at("id"), knownHosts: at("known_hosts") };
  const node: Node = { name: "web1", host: "127.0.0.1", server: "web1", ssh, vars: {} };
  const know = async (type: string): Promise<void> => {
    await writeFile(at("known_hosts"), `[127.0.0.1]:${port} ${await readFile(at(`${type}.pub`), "utf8")}`);
  };
  await know("ed25519");
  return {
    know,
    async run(script, variables = {}) {
      await using hosts = sshHosts({ connectWithin: () => 10_000 });
      const output: string[] = [];
      const { signal } = new AbortController();
      const onOutput = (line: { stream: string; text: string }): void =>
        void output.push(`${line.stream} ${line.text}`);
      return {
        outcome: await hosts.run(node, script, { variables, within: 10_000, signal, onOutput }),
        output,
      };
    },
    async [Symbol.asyncDispose]() {
      sshd.kill();
      await once(sshd, "exit");
      await rm(folder, { recursive: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  await once(server, "close");
  return port;
}

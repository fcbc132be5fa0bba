import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { appendFile, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { homedir } from "node:os";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { RotaError } from "../../src/base/errors.ts";
import type { Node, Ssh } from "../../src/inventory/fleet.ts";
import { connect } from "../../src/remote/connect.ts";
import { portOf } from "../fakes/app.ts";
import { realAgent } from "../fakes/ssh-agent.ts";
import { fakeHost } from "../fakes/ssh-host.ts";

const withSsh = (node: Node, ssh: Partial<Ssh>): Node => ({ ...node, ssh: { ...node.ssh, ...ssh } });

async function refusal(
  node: Node,
  { within = 3_000, agent = undefined as string | undefined } = {},
): Promise<RotaError> {
  const stop = new AbortController();
  try {
    await connect(node, { within, agent, signal: stop.signal });
  } catch (thrown) {
    if (thrown instanceof RotaError) return thrown;
    throw thrown;
  } finally {
    stop.abort();
  }
  throw new Error("it connected");
}

async function connects(node: Node, agent?: string): Promise<void> {
  const stop = new AbortController();
  const { ended } = await connect(node, { within: 3_000, agent, signal: stop.signal });
  stop.abort();
  await ended;
}

describe("the host key", () => {
  const other = `ecdsa-sha2-nistp256 ${Buffer.concat([Buffer.from([0, 0, 0, 19]), Buffer.from("ecdsa-sha2-nistp256"), Buffer.alloc(8)]).toString("base64")}`;

  test("is refused if it is unknown, before anybody tries to log in", async () => {
    await using host = await fakeHost();
    await writeFile(host.knownHosts, `web9 ${host.hostKey}\n`);
    const error = await refusal(host.node("web1"));
    expect(error.code).toBe("HOST_KEY");
    const shown = execFileSync("ssh-keygen", ["-l", "-f", "-"], { input: host.hostKey, encoding: "utf8" });
    expect(error.message).toContain(shown.split(" ")[1]);
    expect(error.message).toContain(`is not in ${host.knownHosts}`);
    expect(error.next).toContain(
      `ssh -i ${host.identity} -o UserKnownHostsFile=${host.knownHosts} -p ${host.port} deploy@127.0.0.1`,
    );
    expect(host).toMatchObject({ connections: 1, logins: 0 });
  });

  test("is unknown where the file is missing, which is said", async () => {
    await using host = await fakeHost();
    await rm(host.knownHosts);
    const error = await refusal(host.node("web1"));
    expect(error).toMatchObject({ code: "HOST_KEY" });
    expect(error.message).toMatch(/a file that does not exist$/);
  });

  test("is refused loudly if it has changed, with the file and the lines", async () => {
    await using host = await fakeHost();
    await writeFile(host.knownHosts, `# by hand\n[127.0.0.1]:${host.port} ${other}\n`);
    const error = await refusal(host.node("web1"));
    expect(error.code).toBe("HOST_KEY");
    expect(error.message).toContain("THE HOST KEY OF web1");
    expect(error.message).toContain(`${host.knownHosts} holds in line 2`);
    expect(error.next).toContain(`ssh-keygen -f '${host.knownHosts}' -R '[127.0.0.1]:${host.port}'`);
    expect(host.logins).toBe(0);
  });

  test("is refused if it is revoked", async () => {
    await using host = await fakeHost();
    await appendFile(host.knownHosts, `@revoked * ${host.hostKey}\n`);
    const error = await refusal(host.node("web1"));
    expect(error.code).toBe("HOST_KEY");
    expect(error.message).toContain("REVOKED");
    expect(error.message).toContain("line 2");
    expect(host.logins).toBe(0);
  });

  test("is not vouched for by an authority, which is said", async () => {
    await using host = await fakeHost();
    await writeFile(host.knownHosts, `@cert-authority * ${host.hostKey}\n`);
    const error = await refusal(host.node("web1"));
    expect(error.message).toContain("line 1: @cert-authority is not supported");
  });

  test("can't be judged by a file that can't be read", async () => {
    await using host = await fakeHost();
    const error = await refusal(withSsh(host.node("web1"), { knownHosts: host.folder }));
    expect(error).toMatchObject({ code: "HOST_KEY" });
    expect(error.message).toContain("can't be read");
    expect(host.connections).toBe(0);
  });
});

describe("logging in", () => {
  test("takes the key file of the inventory, also from the home folder", async () => {
    await using host = await fakeHost();
    const identity = `~/${relative(homedir(), host.identity)}`;
    await connects(withSsh(host.node("web1"), { identity }), "/no/such/agent");
  });

  test("that is refused names the user and the key", async () => {
    await using host = await fakeHost({ refuseAuth: true });
    const error = await refusal(host.node("web1"));
    expect(error.code).toBe("HOST_LOGIN");
    expect(error.message).toContain(`deploy with the key ${host.identity} was refused`);
  });

  test("without a key file asks the agent", async () => {
    await using host = await fakeHost();
    const node = withSsh(host.node("web1"), { identity: undefined });
    await using agent = await realAgent(join(host.folder, "agent"));
    const refused = await refusal(node, { agent: agent.socket });
    expect(refused.message).toContain("deploy with the agent's keys was refused");

    agent.add(host.identity);
    await connects(node, agent.socket);
  });

  test("by an agent that is not there says so", async () => {
    await using host = await fakeHost();
    const node = withSsh(host.node("web1"), { identity: undefined });
    const error = await refusal(node, { agent: join(host.folder, "none") });
    expect(error).toMatchObject({ code: "HOST_LOGIN" });
    expect(error.message).toContain("no key of the agent would do (Failed to connect to agent)");
  });

  test("with neither key nor agent is refused before it is tried", async () => {
    await using host = await fakeHost();
    const error = await refusal(withSsh(host.node("web1"), { identity: undefined }));
    expect(error).toMatchObject({ code: "HOST_LOGIN" });
    expect(error.message).toContain("no agent in $SSH_AUTH_SOCK");
    expect(host.connections).toBe(0);
  });

  test("needs a key file that can be used", async () => {
    await using host = await fakeHost();
    const locked = join(host.folder, "locked");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "secret", "-f", locked]);
    const why = async (identity: string): Promise<RotaError> =>
      refusal(withSsh(host.node("web1"), { identity }));
    expect((await why(join(host.folder, "none"))).message).toContain("can't be read: ENOENT");
    expect((await why(`${locked}.pub`)).message).toContain("is not a private key");
    expect((await why(host.knownHosts)).message).toContain("is not a private key");
    const error = await why(locked);
    expect(error.code).toBe("HOST_LOGIN");
    expect(error.message).toBe(`the key ${locked} for web1 is protected by a passphrase`);
    expect(error.next).toContain(`ssh-add '${locked}'`);
    expect(host.connections).toBe(0);
  });
});

describe("a host that can't be reached", () => {
  test("because nobody listens", async () => {
    await using host = await fakeHost();
    const error = await refusal(withSsh(host.node("web1"), { port: await freePort() }));
    expect(error.code).toBe("HOST_UNREACHABLE");
    expect(error.message).toMatch(
      /^web1 \(deploy@127\.0\.0\.1:\d+\) can't be reached over SSH: connection refused$/,
    );
  });

  test("because its name is not known", async () => {
    await using host = await fakeHost();
    const error = await refusal({ ...host.node("web1"), host: "web1.invalid" });
    expect(error.message).toMatch(/name not found|the name server does not answer/);
  });

  test("because it says nothing, is given up at the limit", async () => {
    await using host = await fakeHost({ stall: true });
    const error = await refusal(host.node("web1"), { within: 200 });
    expect(error.code).toBe("HOST_UNREACHABLE");
    expect(error.message).toContain("no answer within 200ms");
  });

  test("because it hangs up", async () => {
    await using host = await fakeHost({ stall: true });
    const failing = refusal(host.node("web1"));
    await expect.poll(() => host.connections).toBe(1);
    host.cut();
    expect((await failing).code).toBe("HOST_UNREACHABLE");
  });

  test("because it has no key exchange in common", async () => {
    await using host = await fakeHost({ kex: "diffie-hellman-group1-sha1" });
    const error = await refusal(host.node("web1"));
    expect(error.message).toContain("post-quantum");
    expect(error.next).toContain("KexAlgorithms");
  });

  test("because something else than SSH answers", async () => {
    await using host = await fakeHost();
    const server = net.createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await once(server.listen(0, "127.0.0.1"), "listening");
    const error = await refusal(withSsh(host.node("web1"), { port: portOf(server) }));
    expect(error.code).toBe("HOST_UNREACHABLE");
    server.close();
  });
});

test("a connect that is aborted ends at once", async () => {
  await using host = await fakeHost({ stall: true });
  const stop = new AbortController();
  const connecting = connect(host.node("web1"), { within: 10_000, agent: undefined, signal: stop.signal });
  const refused = expect(connecting).rejects.toMatchObject({ code: "INTERRUPTED" });
  await expect.poll(() => host.connections).toBe(1);
  stop.abort();
  await refused;
});

test("the known_hosts file is left as it is", async () => {
  await using host = await fakeHost();
  const before = await readFile(host.knownHosts, "utf8");
  await connects(host.node("web1"));
  expect(await readFile(host.knownHosts, "utf8")).toBe(before);
});

async function freePort(): Promise<number> {
  await using host = await fakeHost();
  return host.port;
}

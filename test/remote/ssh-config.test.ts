import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { RotaError } from "../../src/base/errors.ts";
import type { SshHost, Unsaid } from "../../src/inventory/fleet.ts";
import { sshConnections } from "../../src/remote/connections.ts";
import { type Reach, reaching } from "../../src/remote/reach.ts";
import { pathIn, questionAbout, readAnswer, withTokens } from "../../src/remote/ssh-config.ts";
import { sshCommand } from "../../src/remote/unreachable.ts";
import { realAgent } from "../fakes/ssh-agent.ts";
import { type FakeHost, fakeHost } from "../fakes/ssh-host.ts";

const nothingSaid: Unsaid = ["user", "port", "identity", "knownHosts", "jump"];

const hostAt = (host: string, ssh: Partial<SshHost["ssh"]> = {}): SshHost => ({
  name: "web1",
  host,
  ssh: { user: "me", port: 22, identity: undefined, knownHosts: "/k", unsaid: nothingSaid, ...ssh },
});

/** A configuration in a folder of its own, with other files beside it. */
function configuration(text: string, beside: Record<string, string> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "rota-ssh-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries({ config: text, ...beside }))
    writeFileSync(join(folder, name), content.replaceAll("HERE", folder));
  return join(folder, "config");
}

const reachBy = (config: string, host: SshHost, agent?: string): Promise<Reach> =>
  reaching({ config, agent })(host);

describe("ssh -G is asked", () => {
  test("what the inventory does not say: name, user, port, keys, known hosts, alias", async () => {
    const config = configuration("Include HERE/more\nHost web*\n  HostName %h.example.net\n", {
      more: "Host web1\n  User deploy\n  Port 2222\n  IdentityFile ~/.ssh/%r@%h\n  IdentitiesOnly yes\n  UserKnownHostsFile /a /b\n  GlobalKnownHostsFile none\n  HostKeyAlias Web-One\n",
    });
    const { homedir } = userInfo();
    expect(await reachBy(config, hostAt("web1"), "/agent")).toMatchObject({
      host: "web1.example.net",
      ssh: { user: "deploy", port: 2222 },
      configured: {
        identities: { files: [`${homedir}/.ssh/deploy@web1.example.net`], agent: "/agent", only: true },
        knownHosts: ["/a", "/b"],
        hostKeyAlias: expect.stringMatching(/^web-one$/i),
      },
    });
  });

  test("the inventory's own words win, and Match goes by them", async () => {
    const config = configuration(
      "Host web1\n  User other\n  Port 99\n  IdentityFile /other\n  ProxyJump nowhere\nMatch user deploy\n  HostName 10.0.0.9\n",
    );
    const said = { user: "deploy", port: 23, identity: "/mine", unsaid: [] };
    const reach = await reachBy(config, hostAt("web1", said));
    expect(reach).toMatchObject({ host: "10.0.0.9", ssh: { user: "deploy", port: 23, identity: "/mine" } });
    expect(reach.via).toBeUndefined();
    expect(reach.configured).toMatchObject({ identities: undefined, knownHosts: undefined });
  });

  test("each hop of a ProxyJump again, the last of them next to the host", async () => {
    const config = configuration(
      "Host web1\n  ProxyJump ada@b1:2222,b2\nHost b2\n  HostName 10.0.0.2\n  User eve\n  ProxyJump not-this-one\nHost b1\n  IdentityFile /k1\n  IdentityAgent none\n  ProxyJump b0\n",
    );
    const { via, ssh } = await reachBy(config, hostAt("web1"), "/agent");
    expect(ssh.jump).toMatchObject({ host: "10.0.0.2", user: "eve", port: 22 });
    expect(via).toMatchObject({ host: "10.0.0.2", ssh: { user: "eve", port: 22 } });
    expect(via?.via).toMatchObject({
      host: "b1",
      ssh: { user: "ada", port: 2222 },
      configured: { identities: { files: ["/k1"], agent: undefined } },
    });
    expect(via?.via?.via).toMatchObject({ host: "b0" });
    expect(via?.via?.via?.via).toBeUndefined();
  });

  test("the inventory's jump host too: its user and port are the inventory's where it says them", async () => {
    const config = configuration("Host bastion\n  HostName 10.0.0.1\n  Port 2200\n  User wrong\n");
    const jump = { host: "bastion", user: "deploy", port: 22, unsaid: ["port", "jump"] as const };
    const { via } = await reachBy(config, hostAt("web1", { jump, unsaid: [] }));
    expect(via).toMatchObject({ host: "10.0.0.1", ssh: { user: "deploy", port: 2200 } });
  });

  test("no ProxyJump is followed, or complained of, where the inventory says which way", async () => {
    const config = configuration("Host *\n  ProxyJump web1\n"); // which ssh calls a loop
    const { via } = await reachBy(config, hostAt("web1", { unsaid: ["user"] }));
    expect(via).toBeUndefined();
    await expect(reachBy(config, hostAt("web1"))).rejects.toThrow("jumphost loop");
  });

  test("a way that leads in a circle is refused", async () => {
    const config = configuration("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n");
    await expect(reachBy(config, hostAt("a"))).rejects.toMatchObject({ code: "SSH_CONFIG" });
  });

  test("what ssh itself refuses is told in its words", async () => {
    const refusal = await reachBy(configuration("Host *\n  Bogus yes\n"), hostAt("web1")).catch((e) => e);
    expect(refusal).toBeInstanceOf(RotaError);
    expect(refusal.message).toContain("Bad configuration option: bogus");
    expect(refusal.next).toContain("ssh -G -T -F ");
  });

  test("never, where $ROTA_SSH_CONFIG is none, and where there is no ssh", async () => {
    expect(await reachBy("none", hostAt("web1"))).toEqual(hostAt("web1"));
    const path = process.env["PATH"];
    onTestFinished(() => void (process.env["PATH"] = path));
    process.env["PATH"] = "/nowhere";
    expect(await reachBy(configuration("Host *\n  User x\n"), hostAt("web1"))).toEqual(hostAt("web1"));
  });

  test("the command for a person says only what ssh does not know by itself", async () => {
    const config = configuration("Host web1\n  User deploy\n  HostName 10.0.0.9\n");
    expect(sshCommand(await reachBy(config, hostAt("web1")))).toBe(`ssh -F ${config} web1`);
    const reach = await reachBy(config, hostAt("web1", { user: "ada", unsaid: ["port", "knownHosts"] }));
    expect(sshCommand(reach)).toBe(`ssh -F ${config} ada@web1`);
  });
});

test("a host is never taken for an option, nor a shell asked", () => {
  expect(questionAbout(hostAt("web1", { unsaid: [] }), "/f").slice(-2)).toEqual(["--", "web1"]);
  expect(readAnswer("usage: ssh …\n")).toBeUndefined();
});

test("tokens: those that are known, and no others", () => {
  expect(withTokens("%h:%p %%h", { h: "web1", p: "22" })).toBe("web1:22 %h");
  expect(withTokens("%Z", {})).toBeUndefined();
  expect(pathIn("~/k_%r", { d: "/home/ada", r: "eve" }, {})).toBe("/home/ada/k_eve");
  expect(pathIn("${KEYS}/id", {}, { KEYS: "/keys" })).toBe("/keys/id");
  expect(pathIn("~/%d", { d: "$(id)" }, {})).toBe("$(id)/$(id)"); // a path, which no shell sees
});

/** Connects as the configuration says, with nothing from the inventory. */
async function loginBy(host: FakeHost, lines: string, agent?: string): Promise<string> {
  const config = configuration(
    `Host web1\n  HostName 127.0.0.1\n  Port ${host.port}\n  UserKnownHostsFile ${host.knownHosts}\n  GlobalKnownHostsFile /dev/null\n${lines}`,
  );
  await using connections = sshConnections({
    connectWithin: () => 5_000,
    agent: agent ?? "/no/such/agent",
    sshConfig: config,
  });
  return (await connections.to(hostAt("web1"))).user;
}

describe("a login as ssh's configuration has it", () => {
  test("takes the first of its key files that the host accepts", async () => {
    await using host = await fakeHost();
    const other = join(host.folder, "other");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", other]);
    const files = [join(host.folder, "missing"), other, host.identity];
    const user = await loginBy(host, `  User ada\n${files.map((f) => `  IdentityFile ${f}\n`).join("")}`);
    expect(user).toBe("ada");
  });

  test("without any says which key only an agent could use", async () => {
    await using host = await fakeHost();
    const locked = join(host.folder, "locked");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "secret", "-f", locked]);
    const refusal = await loginBy(host, `  IdentityFile ${locked}\n`).catch((e) => e);
    expect(refusal).toMatchObject({ code: "HOST_LOGIN" });
    expect(refusal.message).toContain(`${locked} is protected by a passphrase`);
    expect(host.connections).toBe(0);
  });

  test("offers the agent's keys, and with IdentitiesOnly only those that a file names", async () => {
    await using host = await fakeHost();
    await using agent = await realAgent(join(host.folder, "agent"));
    agent.add(host.identity);
    expect(await loginBy(host, "  User ada\n  IdentityFile /none\n", agent.socket)).toBe("ada");
    const only = "  User ada\n  IdentitiesOnly yes\n  IdentityFile ";
    const refusal = await loginBy(host, `${only}/none\n`, agent.socket).catch((e) => e);
    expect(refusal).toMatchObject({ code: "HOST_LOGIN" });
    // The public half is enough to name it by.
    const half = join(host.folder, "half");
    await writeFile(`${half}.pub`, execFileSync("ssh-keygen", ["-y", "-f", host.identity]));
    expect(await loginBy(host, `${only}${half}\n`, agent.socket)).toBe("ada");
    const none = "  User ada\n  IdentityFile /none\n  IdentityAgent none\n";
    expect(await loginBy(host, none, agent.socket).catch((e) => e)).toMatchObject({ code: "HOST_LOGIN" });
  });

  test("looks the host's key up by its alias, in every known_hosts file", async () => {
    await using host = await fakeHost();
    const more = join(host.folder, "more");
    await writeFile(more, `# by hand\nthe-alias ${host.hostKey}\n`);
    await writeFile(host.knownHosts, "# nothing here\n");
    const lines = `  IdentityFile ${host.identity}\n  HostKeyAlias the-alias\n`;
    await expect(loginBy(host, lines)).rejects.toMatchObject({ code: "HOST_KEY" });
    // The first value that ssh finds is the one that counts: so this config is another.
    const config = configuration(
      `Host web1\n  HostName 127.0.0.1\n  Port ${host.port}\n  UserKnownHostsFile ${host.knownHosts} ${more}\n${lines}`,
    );
    await using connections = sshConnections({ connectWithin: () => 5_000, sshConfig: config });
    await connections.to(hostAt("web1"));
  });

  test("does not take StrictHostKeyChecking no for a reason to talk to anybody", async () => {
    await using host = await fakeHost();
    await writeFile(host.knownHosts, "");
    const lines = `  IdentityFile ${host.identity}\n  StrictHostKeyChecking no\n`;
    await expect(loginBy(host, lines)).rejects.toMatchObject({ code: "HOST_KEY" });
  });

  test("knows no host whose key is among RevokedHostKeys, and none where that can't be read", async () => {
    await using host = await fakeHost();
    const revoked = join(host.folder, "revoked");
    const lines = `  IdentityFile ${host.identity}\n  RevokedHostKeys ${revoked}\n`;
    await writeFile(revoked, `# by hand\n${host.hostKey} stolen\n`);
    await expect(loginBy(host, lines)).rejects.toMatchObject({
      code: "HOST_KEY",
      message: expect.stringMatching(/REVOKED host key, SHA256:\S+ \(\S+revoked, line 2\)$/),
    });
    await writeFile(revoked, "SSHKRL\n\0");
    await expect(loginBy(host, lines)).rejects.toMatchObject({ code: "HOST_KEY" });
    await rm(revoked);
    await expect(loginBy(host, lines)).rejects.toMatchObject({ code: "HOST_KEY" });
    await writeFile(revoked, "# none\n");
    await loginBy(host, lines);
  });

  test("knows nobody where ssh is to read no known_hosts file at all", async () => {
    await using host = await fakeHost();
    const config = configuration(
      `Host web1\n  HostName 127.0.0.1\n  Port ${host.port}\n  IdentityFile ${host.identity}\n  UserKnownHostsFile none\n  GlobalKnownHostsFile none\n`,
    );
    await using connections = sshConnections({ connectWithin: () => 5_000, sshConfig: config });
    const usual = hostAt("web1", { knownHosts: host.knownHosts });
    await expect(connections.to(usual)).rejects.toMatchObject({ code: "HOST_KEY" });
  });

  test("names the file and the line of a key that has changed", async () => {
    await using host = await fakeHost();
    const first = join(host.folder, "first");
    await writeFile(first, "# one\n# two\n");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(host.folder, "other")]);
    const other = await readFile(join(host.folder, "other.pub"), "utf8");
    await writeFile(host.knownHosts, `# one\n[127.0.0.1]:${host.port} ${other}`);
    const config = configuration(
      `Host web1\n  HostName 127.0.0.1\n  Port ${host.port}\n  IdentityFile ${host.identity}\n  UserKnownHostsFile ${first} ${host.knownHosts}\n`,
    );
    await using connections = sshConnections({ connectWithin: () => 5_000, sshConfig: config });
    const refusal = await connections.to(hostAt("web1")).catch((e) => e);
    expect(refusal.message).toContain(`not what ${host.knownHosts} holds in line 2`);
  });

  test("goes by a ProxyCommand, which ends with the connection", async () => {
    await using host = await fakeHost();
    const mark = join(host.folder, "ended");
    const relay = join(host.folder, "relay");
    // It ends by no end of its input: only by being told.
    await writeFile(
      relay,
      `trap 'kill %1 %2; echo ended > ${mark}; exit' TERM\nset -m\nexec 3<>/dev/tcp/$1/$2\ncat <&3 & cat <&0 >&3 &\nwhile :; do sleep 0.1; done\n`,
    );
    const lines = `  User ada\n  IdentityFile ${host.identity}\n  ProxyCommand bash ${relay} %h %p\n`;
    const user = await loginBy(host, lines);
    expect(user).toBe("ada");
    await expect.poll(() => readFile(mark, "utf8").catch(() => ""), { timeout: 5_000 }).toBe("ended\n");
  });

  test("does not put into a ProxyCommand what means something to a shell", async () => {
    const config = configuration("Host *\n  User a;b\n  ProxyCommand nc %h %r\n");
    await expect(reachBy(config, hostAt("web1"))).rejects.toThrow();
  });
});

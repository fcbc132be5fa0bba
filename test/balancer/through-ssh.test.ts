import { existsSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { haproxies } from "../../src/balancer/balancers.ts";
import { exchange } from "../../src/balancer/exchange.ts";
import { openWays, type Ways } from "../../src/balancer/ways.ts";
import type { SocketAddress } from "../../src/inventory/fleet.ts";
import { fakeHaproxy, type FakeHaproxy } from "../fakes/haproxy.ts";
import { openGates, type Gate, type GateOptions, type Gates } from "../lab/gate.ts";
import { childrenOf } from "../lab/family.ts";
import { waitFor } from "../lab/wait.ts";
import { notYet, yes } from "../../src/base/poll.ts";

const places = [{ balancer: "lb3", backend: "app", server: "web1" }];
const within = { connect: 2_000, reply: 5_000 };

describe.skipIf(!existsSync("/usr/sbin/sshd"))("a socket behind a real sshd", () => {
  test("is asked over one connection, that ends when we are done", async () => {
    await using site = await sshSite();
    await using haproxy = await fakeHaproxy({ backends: { app: ["web1"] } });
    {
      await using balancers = haproxies([{ name: "lb3", socket: site.at(pathOf(haproxy)) }]);
      await balancers.survey("change");
      await balancers.set(places, "drain");
      expect(await balancers.watch(places)).toMatchObject([{ status: "DRAIN", out: true }]);
      await Promise.all([balancers.look(places), balancers.watch(places), balancers.capacity(places)]);
    }
    expect(haproxy.stateOf("app", "web1")).toBe("drain");
    expect(await site.gate.logins()).toBe(1);
    await untilNobodyIsIn(site.gate);
  });

  test("gives big answers whole", async () => {
    await using site = await sshSite();
    const servers = Array.from({ length: 3_000 }, (_, i) => `web${i}`);
    await using haproxy = await fakeHaproxy({ backends: { app: servers } });
    await using balancers = haproxies([{ name: "lb3", socket: site.at(pathOf(haproxy)) }]);
    expect((await balancers.survey("read")).entries).toHaveLength(3_000);
  });

  test("is reached again after the connection was cut", async () => {
    await using site = await sshSite();
    await using haproxy = await fakeHaproxy({ backends: { app: ["web1"] } });
    await using balancers = haproxies([{ name: "lb3", socket: site.at(pathOf(haproxy)) }]);
    await balancers.look(places);
    site.gate.cut();
    await waitFor("an answer", 5_000, () =>
      balancers.look(places).then(
        () => yes(undefined),
        (error: Error) => notYet(error.message),
      ),
    );
    expect(await site.gate.logins()).toBe(2);
  });

  test("whose connection dies in the middle of a question leaves it unknown, at once", async () => {
    await using site = await sshSite();
    await using haproxy = await fakeHaproxy({ backends: { app: ["web1"] } });
    await using ways = openWays();
    haproxy.always("hang");
    const asked = ask(ways, site.at(pathOf(haproxy)), 20_000);
    await waitFor("the question", 5_000, async () => (haproxy.lines.length > 0 ? yes(1) : notYet("none")));
    site.gate.cut();
    await expect(asked).rejects.toMatchObject({ name: "NoAnswer", message: "the SSH connection ended" });
  });

  test("whose connection ends between two questions is asked on a new one", async () => {
    await using site = await sshSite();
    await using haproxy = await fakeHaproxy({ backends: { app: ["web1"] } });
    const socket = site.at(pathOf(haproxy));
    await using balancers = haproxies([{ name: "lb3", socket }], { connect: 60_000, reply: 60_000 });
    const ask = () => balancers.watch(places);
    for (let i = 0; i < 3; i += 1) await ask();
    expect(haproxy.lines.length).toBeGreaterThan(haproxy.connections); // it is kept
    site.gate.cut();
    await wait(60); // it is heard of before the next question
    await expect(ask()).resolves.toHaveLength(places.length);
    expect(await site.gate.logins()).toBe(2);
  });

  test("that is closed without a byte has done nothing", async () => {
    await using site = await sshSite();
    await using haproxy = await fakeHaproxy({ backends: { app: ["web1"] } });
    await using ways = openWays();
    haproxy.next("close");
    await expect(ask(ways, site.at(pathOf(haproxy)))).rejects.toThrow(
      "without an answer, so nothing was done",
    );
  });

  test("that gives too few rights is refused before anything is touched, with the line to add", async () => {
    await using site = await sshSite();
    await using haproxy = await fakeHaproxy({ backends: { app: ["web1"] }, level: "operator" });
    await using balancers = haproxies([{ name: "lb3", socket: site.at(pathOf(haproxy)) }]);
    const { unread } = await balancers.survey("change");
    expect(unread).toMatchObject([{ balancer: "lb3", error: { code: "BALANCER_RIGHTS" } }]);
    expect(unread[0]?.error.message).toContain(`write "stats socket ${pathOf(haproxy)} level admin"`);
  });

  test("that is missing is told from one that is forbidden, and from one that we may not write to", async () => {
    await using site = await sshSite({ asAnybody: true });
    await using haproxy = await fakeHaproxy({ backends: { app: ["web1"] } });
    const path = pathOf(haproxy);
    const { host } = site.gate;
    expect(await site.why(join(site.gates.folder, "none.sock"))).toMatch(
      new RegExp(`^lb3: there is no socket .*/none.sock on ${host}; is HAProxy running, with "stats socket`),
    );
    await chmod(path, 0);
    expect(await site.why(path)).toMatch(
      `may not write to ${path} on ${host}; on Debian its group is haproxy`,
    );
    await chmod(path, 0o700);
    expect(await site.why(path)).toBe("no error");
    const closed = join(site.gates.folder, "closed");
    await mkdir(closed, { mode: 0 });
    expect(await site.why(join(closed, "below", "admin.sock"))).toMatch(
      /may not enter the folder of .*closed\/below\/admin\.sock/,
    );
    const file = join(site.gates.folder, "it's $(a) file");
    await writeFile(file, "");
    expect(await site.why(file)).toBe(`lb3: ${file} on ${host} is no socket`);
    const dead = join(site.gates.folder, "dead.sock");
    execFileSync("python3", [
      "-c",
      "import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])",
      dead,
    ]);
    expect(await site.why(dead)).toMatch("nothing seems to listen at");
  });

  test.each(["AllowStreamLocalForwarding no", "DisableForwarding yes"])(
    "behind an sshd with %s says what to allow there",
    async (line) => {
      await using site = await sshSite({ more: [line] });
      await using haproxy = await fakeHaproxy({ backends: { app: ["web1"] } });
      await using balancers = haproxies([{ name: "lb3", socket: site.at(pathOf(haproxy)) }]);
      await expect(balancers.look(places)).rejects.toMatchObject({
        code: "BALANCER_RIGHTS",
        message: `lb3: the sshd of ${site.gate.host} forbids forwarding to sockets`,
        next: expect.stringContaining("AllowStreamLocalForwarding yes"),
      });
    },
  );

  test("behind an sshd that runs no commands names all that it may be", async () => {
    await using site = await sshSite({ more: ["ForceCommand /bin/false"] });
    expect(await site.why("/none.sock")).toMatch(
      /opened no stream to \/none.sock: the socket is missing, or .* or /,
    );
  });

  test("on a host whose key is not known, or has changed, is not talked to", async () => {
    await using site = await sshSite();
    await site.gates.know();
    await using balancers = haproxies([{ name: "lb3", socket: site.at("/none.sock") }]);
    await expect(balancers.look(places)).rejects.toMatchObject({
      code: "HOST_KEY",
      message: expect.stringMatching(/^lb3 \(.*\) showed the host key .*, which is not in /),
    });
    const other = await site.gates.start();
    const { gate } = site;
    await site.gates.know({
      ...gate,
      known: `[${gate.host}]:${gate.port} ${other.known.split(" ").slice(1).join(" ")}`,
    });
    await expect(balancers.look(places)).rejects.toMatchObject({
      code: "HOST_KEY",
      message: expect.stringContaining("THE HOST KEY OF lb3"),
    });
    expect(await gate.logins()).toBe(0);
  });

  test("on a host without SSH is told as that, and is there again when it comes back", async () => {
    await using site = await sshSite();
    await using haproxy = await fakeHaproxy({ backends: { app: ["web1"] } });
    await site.gate.sshd.stop();
    await using balancers = haproxies([{ name: "lb3", socket: site.at(pathOf(haproxy)) }]);
    await expect(balancers.look(places)).rejects.toMatchObject({
      code: "BALANCER_UNREACHABLE",
      message: expect.stringMatching(/^lb3 \(.*\) can't be reached over SSH: connection refused$/),
      next: expect.stringMatching(/^ssh -i /),
    });
    await site.gate.sshd.start();
    expect(await balancers.look(places)).toHaveLength(1);
  });
});

describe.skipIf(!existsSync("/usr/sbin/sshd"))("through a jump host", () => {
  test("several balancers are reached over one connection to it", async () => {
    await using site = await sshSite();
    const jump = await site.jump();
    await using haproxy = await fakeHaproxy({ backends: { app: ["web1"] } });
    {
      const socket = site.at(pathOf(haproxy), jump);
      await using balancers = haproxies([
        { name: "lb3", socket },
        { name: "lb4", socket },
      ]);
      const { entries, unread } = await balancers.survey("change");
      expect(unread).toEqual([]);
      expect(entries.map(({ balancer }) => balancer)).toEqual(["lb3", "lb4"]);
      expect(await jump.logins()).toBe(1);
      expect(await site.gate.logins()).toBe(2);
      // The end of the jump host's connection ends those through it.
      jump.cut();
      await waitFor("an answer", 5_000, () =>
        balancers.look(places).then(
          () => yes(undefined),
          (error: Error) => notYet(error.message),
        ),
      );
    }
    await untilNobodyIsIn(jump);
    await untilNobodyIsIn(site.gate);
  });

  test("an error says which of the two it was", async () => {
    await using site = await sshSite();
    const jump = await site.jump();
    const balancerAt = () => haproxies([{ name: "lb3", socket: site.at("/none.sock", jump) }]);
    const failure = async (): Promise<unknown> => {
      await using balancers = balancerAt();
      return await balancers.look(places).catch((thrown: unknown) => thrown);
    };
    expect(await failure()).toMatchObject({
      message: expect.stringMatching(/^lb3: there is no socket \/none.sock/),
    });
    await site.gates.know(site.gate);
    expect(await failure()).toMatchObject({
      code: "HOST_KEY",
      message: expect.stringMatching(
        `^lb3: the jump host ${jump.host} .* showed the host key .*, which is not in `,
      ),
    });
    await site.gates.know(jump);
    expect(await failure()).toMatchObject({
      code: "HOST_KEY",
      message: expect.stringMatching(/^lb3 \(.* showed the host key .*, which is not in /),
    });
    await site.gates.know(jump, site.gate);
    await site.gate.sshd.stop();
    expect(await failure()).toMatchObject({
      code: "BALANCER_UNREACHABLE",
      message: `lb3: the jump host ${jump.host} answers, but it can't connect to ${site.gate.host}:${site.gate.port}: Connection refused`,
      next: expect.stringContaining(` -J `),
    });
    await jump.sshd.stop();
    expect(await failure()).toMatchObject({
      code: "BALANCER_UNREACHABLE",
      message: expect.stringMatching(
        `^lb3: the jump host ${jump.host} .* can't be reached over SSH: connection refused$`,
      ),
    });
  });

  test("that may not forward says so", async () => {
    await using site = await sshSite();
    const jump = await site.jump({ more: ["AllowTcpForwarding no"] });
    await using balancers = haproxies([{ name: "lb3", socket: site.at("/none.sock", jump) }]);
    await expect(balancers.look(places)).rejects.toThrow(/the jump host .* answers, .*AllowTcpForwarding/);
  });
});

interface SshSite extends AsyncDisposable {
  gates: Gates;
  gate: Gate;
  at(path: string, jump?: Gate): SocketAddress;
  jump(options?: GateOptions): Promise<Gate>;
  /** What is said of a socket at this path. */
  why(path: string): Promise<string>;
}

async function sshSite(options?: GateOptions): Promise<SshSite> {
  const gates = await openGates();
  const gate = await gates.start(options);
  await gates.know(gate);
  const at: SshSite["at"] = (path, jump) => {
    const ssh = gates.ssh(gate);
    const through = jump && { user: ssh.user, host: jump.host, port: jump.port };
    return { kind: "ssh", host: gate.host, path, ssh: { ...ssh, jump: through } };
  };
  return {
    gates,
    gate,
    at,
    async jump(more) {
      const jump = await gates.start(more);
      await gates.know(gate, jump);
      return jump;
    },
    async why(path) {
      await using balancers = haproxies([{ name: "lb3", socket: at(path) }]);
      return await balancers.look(places).then(
        () => "no error",
        (error: Error) => error.message,
      );
    },
    [Symbol.asyncDispose]: () => gates[Symbol.asyncDispose](),
  };
}

const ask = (ways: Ways, at: SocketAddress, reply = within.reply): Promise<string[]> =>
  exchange(ways.to("lb3", at), "show info", 1, { ...within, reply });

const pathOf = ({ address }: FakeHaproxy): string => (address.kind === "unix" ? address.path : "");

const untilNobodyIsIn = ({ sshd }: Gate): Promise<undefined> =>
  waitFor("the connections to end", 5_000, async () => {
    const left = childrenOf(sshd.pid);
    return left.length === 0 ? yes(undefined) : notYet(`${left.join(", ")} run`);
  });

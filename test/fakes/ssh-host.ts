import { spawn, type ChildProcess } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2, { type AuthContext, type Connection, type ParsedKey, type ServerChannel } from "ssh2";
import type { Node } from "../../src/inventory/fleet.ts";
import { portOf } from "./app.ts";

export interface FakeHostOptions {
  /** Refuses every key. */
  refuseAuth?: boolean;
  /** Takes the connection and never says a word. */
  stall?: boolean;
  /** Offers only this way to exchange keys. */
  kex?: "diffie-hellman-group1-sha1";
  /** What runs the requested command line, as the login shell does. */
  shell?: string[];
}

/** A host with a real SSH server and a real shell, in this process and on this machine. */
export interface FakeHost extends AsyncDisposable {
  port: number;
  /** The login folder; also holds the key and the known_hosts file of `node`. */
  folder: string;
  /** As known_hosts has it: type and key. */
  hostKey: string;
  identity: string;
  knownHosts: string;
  /** The scripts that arrived whole, without their variables. */
  commands: string[];
  /** Everything that was sent to be executed. */
  commandLines: string[];
  /** How many times somebody connected, and tried to log in. */
  connections: number;
  logins: number;
  /** Offers no SFTP. */
  refusesSftp: boolean;
  /** $PATH of its commands. */
  path: string | undefined;
  /** Bytes that came over SFTP. */
  uploaded: number;
  /** Cuts the connection when so many more bytes have come over SFTP; unless once, from then on with each further one. */
  cutUploadAfter(bytes: number, how?: "once"): void;
  /** A node that may log in. */
  node(name: string): Node;
  /** Cuts the connection while a script that matches is running. The script itself goes on. */
  dieDuring(pattern: RegExp): void;
  /** Makes an empty file in the login folder. */
  write(name: string): Promise<void>;
  /** Cuts all connections. */
  cut(): void;
  /** Neither reads nor answers from now on, and keeps every connection open. */
  freeze(): void;
}

export async function fakeHost(options: FakeHostOptions = {}): Promise<FakeHost> {
  const folder = await mkdtemp(join(tmpdir(), "rota-host-"));
  const [hostKey, userKey] = [newKey(), newKey()];
  const sockets = new Set<net.Socket>();
  const children = new Set<ChildProcess>();
  let deadly: RegExp | undefined;
  let frozen = false;
  let uploadLeft = Infinity;
  let cutOnce = false;

  const sshd = new ssh2.Server({
    hostKeys: [hostKey.pem],
    ...(options.kex ? { algorithms: { kex: [options.kex] } } : {}),
  });
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    host.connections += 1;
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    if (!options.stall && !frozen) sshd.injectSocket(socket);
  });
  sshd.on("connection", (connection: Connection) => {
    connection.on("error", () => {}); // the client left, which is what tests are about
    connection.on("authentication", (context) => {
      host.logins += 1;
      if (!options.refuseAuth && proves(context, userKey.key)) context.accept();
      else context.reject(["publickey"]);
    });
    connection.on("session", (accept) => {
      const session = accept();
      session.on("exec", (acceptExec, _, { command }) => {
        host.commandLines.push(command);
        run(command, acceptExec());
      });
      session.on("subsystem", (acceptSubsystem, reject, { name }) => {
        if (name === "sftp" && !host.refusesSftp) serveSftp(acceptSubsystem());
        else reject();
      });
    });
  });

  const run = (command: string, channel: ServerChannel): void => {
    const [shell = "/bin/sh", ...args] = options.shell ?? ["/bin/sh", "-c"];
    const env = { HOME: folder, PATH: host.path };
    const child = spawn(shell, [...args, command], { cwd: folder, env, detached: true });
    children.add(child);
    child.stdin.on("error", () => {}); // it may end without reading
    channel.on("error", () => {});
    let dying = false;
    let stdin = "";
    channel.on("data", (chunk: Buffer) => {
      stdin += chunk.toString("latin1");
      child.stdin.write(chunk);
    });
    channel.on("end", () => {
      const script = scriptIn(Buffer.from(stdin, "latin1").toString());
      if (script !== undefined) host.commands.push(script);
      dying = script !== undefined && (deadly?.test(script) ?? false);
      if (dying) setTimeout(() => host.cut(), 50); // long enough for it to run
      child.stdin.end();
    });
    const unlessDying = (answer: () => void) => () => void (dying || answer());
    child.stdout.on("data", (chunk: Buffer) => unlessDying(() => channel.write(chunk))());
    child.stderr.on("data", (chunk: Buffer) => unlessDying(() => channel.stderr.write(chunk))());
    // As sshd does: the status at once, the end when nobody holds the output any more.
    child.on("exit", (code, signal) => {
      unlessDying(() => (code === null ? channel.exit(signal ?? "KILL") : channel.exit(code)))();
    });
    child.on(
      "close",
      unlessDying(() => channel.end()),
    );
  };

  /** OpenSSH's own, as sshd would start it. */
  const serveSftp = (channel: ServerChannel): void => {
    const child = spawn("/usr/lib/openssh/sftp-server", [], { cwd: folder, detached: true });
    children.add(child);
    child.stdin.on("error", () => {});
    channel.on("error", () => {});
    channel.on("data", (chunk: Buffer) => {
      child.stdin.write(chunk);
      host.uploaded += chunk.length;
      uploadLeft -= chunk.length;
      if (uploadLeft > 0) return;
      if (cutOnce) uploadLeft = Infinity;
      host.cut();
    });
    channel.on("close", () => child.stdin.end());
    child.stdout.on("data", (chunk: Buffer) => channel.write(chunk));
    child.on("close", () => channel.end());
  };

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  const [identity, knownHosts] = [join(folder, "id_ecdsa"), join(folder, "known_hosts")];
  await writeFile(identity, userKey.pem, { mode: 0o600 });
  await writeFile(knownHosts, `[127.0.0.1]:${port} ${hostKey.line}\n`);

  const host: FakeHost = {
    port,
    folder,
    hostKey: hostKey.line,
    identity,
    knownHosts,
    commands: [],
    commandLines: [],
    connections: 0,
    uploaded: 0,
    refusesSftp: false,
    path: process.env["PATH"],
    logins: 0,
    node: (name) => ({
      name,
      host: "127.0.0.1",
      server: name,
      ssh: { user: "deploy", port, identity, knownHosts },
      vars: {},
    }),
    cutUploadAfter(bytes, how) {
      uploadLeft = bytes;
      cutOnce = how === "once";
    },
    dieDuring: (pattern) => void (deadly = pattern),
    write: (name) => writeFile(join(folder, name), ""),
    cut: () => sockets.forEach((socket) => socket.destroy()),
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause().cork();
    },
    async [Symbol.asyncDispose]() {
      host.cut();
      server.close();
      children.forEach(endWithItsChildren);
      await rm(folder, { recursive: true, force: true });
    },
  };
  return host;
}

interface Key {
  pem: string;
  line: string;
  key: ParsedKey;
}

function newKey(): Key {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const pem = privateKey.export({ type: "sec1", format: "pem" }).toString();
  const key = ssh2.utils.parseKey(pem);
  if (key instanceof Error) throw key;
  return { pem, key, line: `ecdsa-sha2-nistp256 ${key.getPublicSSH().toString("base64")}` };
}

function proves(context: AuthContext, expected: ParsedKey): boolean {
  if (context.method !== "publickey" || !context.key.data.equals(expected.getPublicSSH())) return false;
  // Without a signature the client only asks whether the key would do.
  if (!context.signature || !context.blob) return true;
  return expected.verify(context.blob, context.signature, context.hashAlgo);
}

/** What is between the two end marks, without the variables; undefined if it did not arrive whole. */
function scriptIn(stdin: string): string | undefined {
  const mark = stdin.slice(0, stdin.indexOf("\n"));
  if (!mark || !stdin.endsWith(`\n${mark}`)) return undefined;
  const variables = /^(?:export \w+='(?:[^']|'\\'')*'\n)*/;
  return stdin.slice(mark.length + 1, -mark.length - 1).replace(variables, "");
}

/** Each command leads a process group of its own. */
function endWithItsChildren(child: ChildProcess): void {
  try {
    if (child.pid) process.kill(-child.pid, "SIGKILL");
  } catch {
    // All of them have ended.
  }
}

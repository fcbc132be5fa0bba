/** A stream to a Unix socket of another host (OpenSSH's direct-streamlocal), and why there is none. */
import type { Duplex } from "node:stream";
import { systemClock } from "../base/clock.ts";
import type { Connection } from "./connect.ts";
import { exec } from "./exec.ts";

/**
 * Why a host opened no stream. sshd says the same of all of them, so the host is looked at, where it lets us.
 * "no entry": a folder on the way is closed to us; "quiet": the socket is there, and nobody is seen to listen.
 */
const reasons = ["missing", "no entry", "no socket", "no rights", "quiet", "forbidden"] as const;
export type Refusal = (typeof reasons)[number] | "unsupported" | "unclear" | "no answer" | "cut";

export class StreamRefused extends Error {
  override readonly name = "StreamRefused";
  readonly why: Refusal;

  constructor(why: Refusal, cause?: unknown) {
    super(why, { cause });
    this.why = why;
  }
}

/**
 * @param within Milliseconds until the stream must be there.
 * @throws StreamRefused
 */
export async function openStream(connection: Connection, path: string, within: number): Promise<Duplex> {
  const over = new AbortController();
  const opening = forwarded(connection, path);
  try {
    const stream = await Promise.race([opening, systemClock.sleep(within, over.signal)]);
    if (stream) return stream;
  } catch (thrown) {
    throw new StreamRefused(await reasonOf(thrown, connection, path), thrown);
  } finally {
    over.abort();
  }
  opening.then((late) => late.destroy()).catch(() => {}); // told already
  throw new StreamRefused("no answer");
}

function forwarded(connection: Connection, path: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    connection.client.openssh_forwardOutStreamLocal(path, (error, channel) => {
      if (error) return reject(error);
      channel.on("error", () => {}); // whoever reads it may have gone
      const open = openOn(connection);
      open.add(channel);
      channel.once("close", () => open.delete(channel));
      resolve(channel);
    });
  });
}

const streams = new WeakMap<Connection, Set<Duplex>>();

/** The end of a connection looks like the end of its streams, and what was asked there may have been done: so it is told. */
function openOn(connection: Connection): Set<Duplex> {
  const known = streams.get(connection);
  if (known) return known;
  const open = new Set<Duplex>();
  streams.set(connection, open);
  void connection.ended.then(() =>
    [...open].map((stream) => stream.emit("error", new Error("the SSH connection ended"))),
  );
  return open;
}

/** The host lets us in, and opens no stream for us. */
export const isForbidden = (thrown: unknown): boolean => codeIn(thrown) === 1;

/** RFC 4254 §5.1: 1 administratively prohibited, 2 connect failed, 3 unknown channel type. */
function codeIn(thrown: unknown): number | undefined {
  const reason: unknown = thrown instanceof Error && "reason" in thrown ? thrown.reason : undefined;
  return typeof reason === "number" ? reason : undefined;
}

async function reasonOf(thrown: unknown, connection: Connection, path: string): Promise<Refusal> {
  const code = codeIn(thrown);
  if (code === undefined) return "cut";
  if (isForbidden(thrown)) return "forbidden";
  return code === 3 ? "unsupported" : await lookAt(connection, path);
}

/** Milliseconds. */
const patience = 5_000;

async function lookAt({ client }: Connection, path: string): Promise<Refusal> {
  let seen: Refusal = "unclear";
  const { signal } = new AbortController();
  await exec(async () => client, look, {
    variables: { ROTA_SOCKET: path },
    within: patience,
    signal,
    onOutput: ({ text }) => {
      // A login shell may greet before that.
      seen = reasons.find((reason) => text === `rota-socket: ${reason}`) ?? seen;
    },
  });
  return seen;
}

/** HAProxy binds `path.PID.tmp` and renames it, so the kernel's list has a name that begins with the path. */
const look = `
say() { echo "rota-socket: $1"; exit 0; }
if [ -S "$ROTA_SOCKET" ]; then
  [ -w "$ROTA_SOCKET" ] || say "no rights"
  [ -r /proc/net/unix ] || exit 0
  if grep -qF -e " $ROTA_SOCKET" /proc/net/unix; then say forbidden; fi
  say quiet
fi
[ -e "$ROTA_SOCKET" ] && say "no socket"
at=$ROTA_SOCKET
while at=\${at%/*}; [ -n "$at" ]; do
  [ -d "$at" ] || continue
  [ -x "$at" ] || say "no entry"
  break
done
say missing
`;

import type { Duplex } from "node:stream";
import { systemClock } from "../base/clock.ts";
import { sayDuration } from "../base/duration.ts";
import { messageOf, RotaError } from "../base/errors.ts";
import { printable } from "../base/quote.ts";
import type { Jump, Ssh, SshHost } from "../inventory/fleet.ts";
import type { Connection } from "./connect.ts";
import { isForbidden } from "./stream.ts";
import { sshCommand } from "./unreachable.ts";

/** A jump host as a host of its own: the key and the known hosts are those of whoever is reached through it. */
export const throughJump = (ssh: Ssh, { user, host, port, unsaid }: Jump): SshHost => ({
  name: `the jump host ${host}`,
  host,
  ssh: { ...ssh, user, port, jump: undefined, unsaid },
});

interface Hop {
  jump: SshHost;
  host: SshHost;
  /** Milliseconds until the stream must be there, once the jump host is reached. */
  within: number;
}

/**
 * A stream to the host's sshd, from the jump host on.
 *
 * @throws RotaError HOST_UNREACHABLE, HOST_LOGIN, HOST_KEY that say which of the two it was
 */
export async function streamThrough(jumping: () => Promise<Connection>, hop: Hop): Promise<Duplex> {
  const { jump, host } = hop;
  const { client } = await jumping().catch((thrown: unknown) => {
    if (!(thrown instanceof RotaError)) throw thrown;
    const { code, message, next } = thrown;
    const said = next === undefined ? {} : { next };
    throw new RotaError(code, { problem: `${host.name}: ${message}`, ...said, cause: thrown });
  });
  const over = new AbortController();
  const opening = new Promise<Duplex>((resolve, reject) => {
    client.forwardOut("127.0.0.1", 0, host.host, host.ssh.port, (error, channel) =>
      error ? reject(error) : resolve(channel),
    );
  });
  const limit = systemClock.sleep(hop.within, over.signal);
  try {
    const stream = await Promise.race([opening, limit]);
    if (stream) return stream;
    opening.then((late) => late.destroy()).catch(() => {}); // told already
    throw new Error(`no answer within ${sayDuration(hop.within)}`);
  } catch (thrown) {
    throw new RotaError(isForbidden(thrown) ? "HOST_LOGIN" : "HOST_UNREACHABLE", {
      problem: `${host.name}: ${jump.name} answers, but it can't connect to ${host.host}:${host.ssh.port}: ${why(thrown)}`,
      next: `${sshCommand(host)}, which should fail in the same way; then the same command again`,
      cause: thrown,
    });
  } finally {
    over.abort();
  }
}

/** "(SSH) Channel open failure: Connection refused"; OpenSSH gives no more than "open failed" where it may not. */
function why(thrown: unknown): string {
  const text = printable(messageOf(thrown)).replace(/^\(SSH\) Channel open failure: /, "");
  return /open failed|prohibited/.test(text)
    ? `${text}; is AllowTcpForwarding on in its sshd_config, and does it know that name?`
    : text;
}

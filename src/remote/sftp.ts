/** Bytes into a file of a host, over SFTP. */
import { type FileHandle, open } from "node:fs/promises";
import { promisify } from "node:util";
import type { SFTPWrapper } from "ssh2";
import { systemClock } from "../base/clock.ts";
import { sayDuration } from "../base/duration.ts";
import { messageOf } from "../base/errors.ts";
import type { Outcome, UploadOptions } from "../rotation/ports.ts";
import type { LocalFile } from "../rotation/release/release.ts";
import type { Connection } from "./connect.ts";

/** Bytes of one write: what every server takes whole. */
const chunk = 32_768;
/** Writes under way: a megabyte, which fills a line of 30 MB/s over 30 ms. */
const inFlight = 32;

/** Ends an upload that is not to go on, or has: `unknown` may go on from where it ended. */
export class Ended extends Error {
  readonly end: Exclude<Outcome, { kind: "done" }>;

  constructor(kind: "failed" | "unknown", why: string) {
    super(why);
    this.end = { kind, why };
  }
}

/**
 * Sends what is missing of a file.
 *
 * @param place where it is to lie, and how many bytes of it are there
 * @throws Ended, or what SFTP says
 */
export async function sendRest(
  connection: Connection,
  file: LocalFile,
  place: { path: string; size: number },
  options: UploadOptions,
): Promise<void> {
  options.onProgress(place.size);
  if (place.size >= file.size) return;
  const local = await open(file.path);
  const watch = watched(connection, options);
  try {
    const opened = sftpOf(connection);
    opened.then((late) => watch.over() && late.end()).catch(() => {}); // told already
    const sftp = await watch.orEnd(opened);
    try {
      await watch.orEnd(write(sftp, local, place, { ...options, onMoved: watch.moved }));
    } finally {
      sftp.end();
    }
  } finally {
    watch.end();
    await local.close();
  }
}

function sftpOf({ client }: Connection): Promise<SFTPWrapper> {
  return new Promise((resolve, reject) => {
    client.sftp((error, sftp) => {
      if (error) return reject(noSftp(error));
      sftp.on("error", () => {}); // each request tells its own
      resolve(sftp);
    });
  });
}

/** Milliseconds. */
const openWithin = 10_000;

/** Opens it, and closes it again. @throws Ended */
export async function seeThatSftpOpens(connection: Connection): Promise<void> {
  const over = new AbortController();
  const late = systemClock.sleep(openWithin, over.signal).then(() => undefined);
  const opening = sftpOf(connection);
  const sftp = await Promise.race([opening, late]).finally(() => over.abort());
  if (!sftp) {
    opening.then((one) => one.end()).catch(() => {}); // told already
    throw new Ended("unknown", `no SFTP within ${sayDuration(openWithin)}`);
  }
  sftp.end();
}

function noSftp(error: Error): Ended {
  const why = `the host opens no SFTP (${messageOf(error)})`;
  if (!/subsystem|open fail/i.test(error.message)) return new Ended("unknown", why);
  return new Ended("failed", `${why}: has its sshd_config a line "Subsystem sftp"?`);
}

type Moving = UploadOptions & { onMoved: () => void };

/** In order, and only as much as is taken: a cut leaves a beginning, never a hole. */
async function write(
  sftp: SFTPWrapper,
  local: FileHandle,
  { path, size: from }: { path: string; size: number },
  { onProgress, onMoved }: Moving,
): Promise<void> {
  const remote = await promisify(sftp.open.bind(sftp) as Open)(path, from > 0 ? "r+" : "w");
  const underWay = new Set<Promise<void>>();
  let there = from;
  for (let at = from; ;) {
    const { bytesRead, buffer } = await local.read(Buffer.allocUnsafe(chunk), 0, chunk, at);
    if (bytesRead === 0) break;
    const sent = writeAt(sftp, remote, buffer.subarray(0, bytesRead), at);
    underWay.add(sent);
    sent.then(
      () => {
        underWay.delete(sent);
        there += bytesRead;
        onProgress(there);
        return onMoved();
      },
      () => {}, // it stays among those under way, and is told there
    );
    at += bytesRead;
    if (underWay.size >= inFlight) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  await closed(sftp, remote);
}

type Open = (
  path: string,
  mode: "r+" | "w",
  done: (error: Error | undefined, handle: Buffer) => void,
) => void;

const writeAt = (sftp: SFTPWrapper, handle: Buffer, data: Buffer, at: number): Promise<void> =>
  new Promise((resolve, reject) => {
    sftp.write(handle, data, 0, data.length, at, (error) => (error ? reject(error) : resolve()));
  });

const closed = (sftp: SFTPWrapper, handle: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    sftp.close(handle, (error) => (error ? reject(error) : resolve()));
  });

interface Watch {
  moved: () => void;
  /** Rejects where nothing moves any more, the connection ends, or a person stops. */
  orEnd: <T>(work: Promise<T>) => Promise<T>;
  over: () => boolean;
  end: () => void;
}

function watched(connection: Connection, { within, signal }: UploadOptions): Watch {
  let over = false;
  let timer: NodeJS.Timeout | undefined;
  let onAbort = (): void => {};
  const ended = new Promise<never>((_, reject) => {
    const giveUp = (why: string) => (): void => {
      over = true;
      reject(new Ended("unknown", why));
    };
    // A plain timer: it bounds what the network does, and is set anew with each piece.
    timer = setTimeout(giveUp(`nothing moved for ${sayDuration(within)}`), within);
    onAbort = giveUp("stopped");
    signal.addEventListener("abort", onAbort, { once: true });
    void connection.ended.then(giveUp("the connection ended"));
    if (signal.aborted) onAbort();
  });
  ended.catch(() => {}); // whoever waits is told
  return {
    moved: () => timer?.refresh(),
    orEnd: (work) => {
      work.catch(() => {}); // what comes late was told as what ended it
      return Promise.race([work, ended]);
    },
    over: () => over,
    end() {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    },
  };
}

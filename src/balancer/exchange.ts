import { createConnection } from "node:net";
import type { Duplex } from "node:stream";
import { messageOf } from "../base/errors.ts";
import type { DirectAddress, SocketAddress } from "../inventory/fleet.ts";
import { cutFrames } from "./frames.ts";

interface NoAnswerAbout {
  next?: string | undefined;
  cause?: unknown;
  closedToUs?: boolean;
}

/** No whole answer came. What was asked may or may not have been done: the world must be asked again. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
  /** What to type next, where that is known better than by the socket's address. */
  readonly next: string | undefined;
  /** We are not let in; whether HAProxy lives is not known. */
  readonly closedToUs: boolean;

  constructor(message: string, { next, cause, closedToUs = false }: NoAnswerAbout = {}) {
    super(message, { cause });
    this.next = next;
    this.closedToUs = closedToUs;
  }
}

/**
 * Opens a connection for one line.
 *
 * @param within milliseconds
 * @throws NoAnswer
 */
export type Open = (within: number) => Promise<Duplex>;

/** Milliseconds. */
export interface Deadlines {
  connect: number;
  reply: number;
}

/** Bytes. HAProxy 2.6 hangs for ever on a command above 15 360. */
export const longestLine = 8_192;
/** Bytes. 5,000 servers answer with about 1.5 MB. */
const longestAnswer = 64 * 1024 * 1024;

/**
 * Sends one line on a connection of its own and reads `wanted` answers. One-shot: a connection that is kept
 * stays with the old worker when HAProxy is reloaded.
 *
 * @throws NoAnswer when the socket can't be reached, is silent too long, or ends too early
 * @throws RangeError for a line above 8 KB
 */
export function exchange(
  at: DirectAddress | Open,
  line: string,
  wanted: number,
  within: Deadlines,
  longest = longestAnswer,
): Promise<string[]> {
  if (line.length > longestLine)
    throw new RangeError(`a line of ${line.length} bytes is too long for HAProxy`);
  const opening = typeof at === "function" ? at(within.connect) : connectTo(at, within.connect);
  return opening.then((stream) =>
    answersOn(stream, line, wanted, { within: within.reply, longest: Math.min(longest, longestAnswer) }),
  );
}

export function connectTo(at: DirectAddress, within: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(
      at.kind === "unix" ? { path: at.path } : { host: at.host, port: at.port },
    );
    const fail = (why: string, about: NoAnswerAbout = {}): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new NoAnswer(why, about));
    };
    const timer = setTimeout(() => fail(`no connection within ${within} ms`), within);
    const refused = (error: NodeJS.ErrnoException): void =>
      fail(reason(error, at), { cause: error, closedToUs: error.code === "EACCES" });
    socket.once("error", refused);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", refused);
      // Until it is read, and after: an error that nobody hears ends the process.
      socket.on("error", () => {});
      resolve(socket);
    });
  });
}

interface Bounds {
  /** Milliseconds. */
  within: number;
  /** Bytes. */
  longest: number;
}

function answersOn(
  stream: Duplex,
  line: string,
  wanted: number,
  { within, longest }: Bounds,
): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      stream.destroy();
      settle();
    };
    const give = (answers: string[]): void => end(() => resolve(answers));
    const fail = (why: string, cause?: unknown): void => end(() => reject(new NoAnswer(why, { cause })));
    const timer = setTimeout(() => fail(`no whole answer within ${within} ms`), within);

    stream.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > longest) return fail(`an answer of more than ${longest} bytes`);
      // Answers end with an empty line: no need to look before one could have come.
      if (chunk.at(-1) !== newline) return;
      const frames = cutFrames(Buffer.concat(chunks).toString(), wanted);
      if (frames.whole.length === wanted) give(frames.whole);
    });
    stream.on("end", () => {
      if (size === 0) return fail("the connection was closed without an answer, so nothing was done");
      const { whole, rest } = cutFrames(Buffer.concat(chunks).toString(), wanted);
      if (isMessage.test(rest) && whole.length === wanted - 1) give([...whole, rest.trimEnd()]);
      else fail("the connection was closed in the middle of an answer");
    });
    stream.on("error", (error) => fail(messageOf(error), error));
    stream.on("close", () => fail("the connection was closed in the middle of an answer"));
    stream.write(`${line}\n`);
  });
}

const newline = "\n".charCodeAt(0);

/**
 * A few of HAProxy's error messages end with one newline only. Data that end so were cut: the first line of
 * `show stat` alone ("# pxname,…") would otherwise pass for a balancer without servers.
 */
const isMessage = /^(?!\w+: )[A-Z][^\n]+\n$/;

function reason(error: NodeJS.ErrnoException, at: DirectAddress): string {
  const where = sayAddress(at);
  switch (error.code) {
    case "ENOENT":
      return `there is no socket at ${where}; is HAProxy running, with "stats socket ${where} level admin" in its global section?`;
    case "EACCES":
      return `this user may not write to ${where}; on Debian its group is haproxy`;
    case "ECONNREFUSED":
      return `nothing listens at ${where}; is HAProxy running?`;
    case "ENOTFOUND":
      return `the host of ${where} has no address`;
    case undefined:
    default:
      return `${where}: ${messageOf(error)}`;
  }
}

/** A socket's address as a person would write it. */
export function sayAddress(at: SocketAddress): string {
  if (at.kind === "unix") return at.path;
  const host = at.host.includes(":") ? `[${at.host}]` : at.host;
  if (at.kind === "tcp") return `tcp://${host}:${at.port}`;
  const { user, port, unsaid } = at.ssh;
  const login = unsaid?.includes("user") ? "" : `${user}@`;
  return `ssh://${login}${host}${port === 22 ? "" : `:${port}`}${at.path}`;
}

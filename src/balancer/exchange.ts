import { createConnection } from "node:net";
import type { Duplex } from "node:stream";
import { messageOf } from "../base/errors.ts";
import type { DirectAddress, SocketAddress } from "../inventory/fleet.ts";
import { cutFrames, prompt } from "./frames.ts";

interface NoAnswerAbout {
  next?: string | undefined;
  cause?: unknown;
  closedToUs?: boolean;
  untaken?: boolean;
}

/** No whole answer came. What was asked may or may not have been done: the world must be asked again. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
  /** What to type next, where that is known better than by the socket's address. */
  readonly next: string | undefined;
  /** We are not let in; whether HAProxy lives is not known. */
  readonly closedToUs: boolean;
  /** The connection ended before a byte of the answer came. */
  readonly untaken: boolean;

  constructor(message: string, { next, cause, closedToUs = false, untaken = false }: NoAnswerAbout = {}) {
    super(message, { cause });
    this.next = next;
    this.closedToUs = closedToUs;
    this.untaken = untaken;
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

/** What one answer may cost. */
export interface Bounds {
  /** Milliseconds. */
  within: number;
  /** Bytes. */
  longest: number;
}

export const boundsOf = ({ reply }: Deadlines, longest = longestAnswer): Bounds => ({
  within: reply,
  longest: Math.min(longest, longestAnswer),
});

/**
 * Sends one line on a connection of its own and reads `wanted` answers: one-shot, so whoever HAProxy's current
 * worker is takes it.
 *
 * @throws NoAnswer when the socket can't be reached, is silent too long, or ends too early
 * @throws RangeError for a line above 8 KB
 */
export function exchange(
  at: DirectAddress | Open,
  line: string,
  wanted: number,
  within: Deadlines,
  longest?: number,
): Promise<string[]> {
  checkLength(line);
  const opening = typeof at === "function" ? at(within.connect) : connectTo(at, within.connect);
  return opening.then(async (stream) => {
    try {
      return await answersOn(stream, line, wanted, boundsOf(within, longest));
    } finally {
      stream.destroy();
    }
  });
}

/** @throws RangeError for a line above 8 KB */
export function checkLength(line: string): void {
  if (line.length > longestLine)
    throw new RangeError(`a line of ${line.length} bytes is too long for HAProxy`);
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

/**
 * Sends a line and reads `wanted` answers. The stream is whoever's it was; after an error it is of no use.
 *
 * @param prompted the connection is interactive: what is whole ends with a prompt, and the stream stays open
 * @throws NoAnswer
 */
export function answersOn(
  stream: Duplex,
  line: string,
  wanted: number,
  { within, longest }: Bounds,
  prompted = false,
): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      stream.off("data", take).off("end", ended).off("error", broken).off("close", closed);
      settle();
    };
    const give = (answers: string[]): void => end(() => resolve(answers));
    const fail = (why: string, cause?: unknown): void =>
      end(() => reject(new NoAnswer(why, { cause, untaken: size === 0 && why !== silent })));
    const silent = `no whole answer within ${within} ms`;
    const timer = setTimeout(() => fail(silent), within);

    const last = prompted ? space : newline;
    const take = (chunk: Buffer): void => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > longest) return fail(`an answer of more than ${longest} bytes`);
      // Answers end with an empty line, or a prompt after it: no need to look before one could have come.
      if (chunk.at(-1) !== last) return;
      const frames = cutFrames(Buffer.concat(chunks).toString(), wanted);
      if (frames.whole.length === wanted && (!prompted || frames.rest === prompt)) give(frames.whole);
    };
    const ended = (): void => {
      if (size === 0) return fail("the connection was closed without an answer, so nothing was done");
      const { whole, rest } = cutFrames(Buffer.concat(chunks).toString(), wanted);
      if (isMessage.test(rest) && whole.length === wanted - 1) give([...whole, rest.trimEnd()]);
      else closed();
    };
    const broken = (error: unknown): void => fail(messageOf(error), error);
    const closed = (): void => fail("the connection was closed in the middle of an answer");
    stream.on("data", take).on("end", ended).on("error", broken).on("close", closed);
    stream.write(`${line}\n`);
  });
}

const space = " ".charCodeAt(0);
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

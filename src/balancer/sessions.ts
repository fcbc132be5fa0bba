/**
 * Single sessions: who has a request open, and the ending of it. Pure. Source: HAProxy Management Guide §9.3,
 * "show sess" and "shutdown session".
 */
import { AnswerError, readDone } from "./answers.ts";
import { type Command, type ServerName, serverPath } from "./commands.ts";

/** A request, or in TCP mode a connection, that HAProxy has open to a server. */
export interface Session extends ServerName {
  /** For `shutdownSession`, at the same worker. */
  id: string;
  /** The client as HAProxy has it: "10.0.0.7:53122", "[2001:db8::1]:53122", "unix:1". */
  client: string;
  /** Milliseconds, of which HAProxy says the two largest units. */
  age: number;
}

/** Bytes: some 50,000 sessions. A balancer with more of them is not made to list them all. */
const longest = 16 * 1024 * 1024;

/**
 * Sessions that have a server. Level operator.
 *
 * @param at only those of this server; HAProxy before 3.2 gives all the same, so look at what it gives
 */
export const showSessions = (at?: ServerName): Command<Session[]> => ({
  line: at === undefined ? "show sess" : `show sess server ${serverPath(at)}`,
  read: readSessions,
  longest,
});

/** Whether `show sess` can be asked about one server. @param version "3.2.26-1" */
export function filtersSessions(version: string): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) * 1_000 + Number(minor) >= 3_002;
}

/** Ends all sessions of a server; their clients get a 502, or find the connection closed. Level admin. */
export const shutdownSessions = (at: ServerName): Command<void> => ({
  line: `shutdown sessions server ${serverPath(at)}`,
  read: readDone,
});

/** Ends one; one that has ended is as good. A worker that a reload replaced knows only this way. Level admin. */
export function shutdownSession(id: string): Command<void> {
  if (!idPattern.test(id)) throw new RangeError(`${JSON.stringify(id)} is no session's id`);
  return {
    line: `shutdown session ${id}`,
    read: (frame) => (frame.startsWith("No such session") ? undefined : readDone(frame)),
  };
}

const idPattern = /^0x[0-9a-f]{1,16}$/;

export const readSessions = (frame: string): Session[] =>
  frame === "" ? [] : frame.split("\n").flatMap((line) => readSession(line, frame));

/** What stands beside these differs from version to version. */
function readSession(line: string, frame: string): Session[] {
  const [first = "", ...words] = line.split(" ");
  const id = first.slice(0, -1);
  if (!first.endsWith(":") || !idPattern.test(id)) throw notSessions(frame);
  const field = (name: string): string | undefined =>
    words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const [client, backend, server, age] = [field("src"), field("be"), field("srv"), field("age")];
  // HAProxy's own, as this very question, have no client or no server.
  if (client === undefined || backend === undefined || server === undefined || server === "<none>") return [];
  return [{ id, client: sayClient(client), backend, server, age: readAge(age ?? "") }];
}

const notSessions = (frame: string): AnswerError =>
  new AnswerError(frame.startsWith("Permission denied") ? "permission denied" : "not understood", frame);

/** Goes to a terminal: nothing but what an address is made of. An IPv6 address gets its brackets (RFC 5952 §6). */
function sayClient(text: string): string {
  const plain = text.slice(0, 80).replaceAll(/[^\w.:@%/-]/g, "?");
  const [, host, port] = /^([0-9a-fA-F:.]*:[0-9a-fA-F:.]*):(\d+)$/.exec(plain) ?? [];
  return host === undefined ? plain : `[${host}]:${port}`;
}

const unitMs: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "3s", "1m13s", "2h5m"; nothing else is in it. */
const readAge = (text: string): number =>
  [...text.matchAll(/(\d+)([smhd])/g)].reduce(
    (sum, [, amount, unit = ""]) => sum + Number(amount) * (unitMs[unit] ?? 0),
    0,
  );

/**
 * HAProxy's runtime commands as values: the line that is sent, and how its answer is read and judged.
 * Pure; nothing here touches a socket. Source: HAProxy Management Guide §9.3 "Unix Socket commands".
 */
import { type TallyRow, readTallies } from "./tally.ts";
import {
  type Activity,
  type BackendRow,
  type Info,
  type ServerState,
  readActivity,
  readBackends,
  readDone,
  readInfo,
  readLevel,
  readServerStates,
  readServerRows,
  type ServerRow,
} from "./answers.ts";

/** One runtime command and the reader of its answer. Readers throw `AnswerError`. */
export interface Command<T> {
  readonly line: string;
  read(frame: string): T;
  /** Bytes of answer that it may cost, where that is less than usual. */
  readonly longest?: number;
}

/** A server of a backend, by HAProxy's names. */
export interface ServerName {
  backend: string;
  server: string;
}

/** The admin states of `set server … state`. */
export type AdminState = "ready" | "drain" | "maint";

/** What HAProxy allows in a proxy's or server's name (Configuration Manual §2.2 and §4). */
const namePattern = /^[A-Za-z0-9_.:-]{1,256}$/;

/** @throws RangeError for a name that could end, extend or split a command (spaces, `;`, newlines, …). */
export function checkName(name: string): string {
  if (namePattern.test(name)) return name;
  throw new RangeError(
    `${JSON.stringify(name)} is not a name that HAProxy allows (letters, digits, _ . : -)`,
  );
}

/** @throws RangeError as `checkName` */
export const serverPath = ({ backend, server }: ServerName): string =>
  `${checkName(backend)}/${checkName(server)}`;

/** HAProxy answers this with an empty line even where nothing could change, so read the state back. Level admin. */
export const setState = (at: ServerName, state: AdminState): Command<void> => ({
  line: `set server ${serverPath(at)} state ${state}`,
  read: readDone,
});

/** Takes the last health verdict back: the server is up again only after `rise` new checks. Level admin. */
export const setHealthDown = (at: ServerName): Command<void> => ({
  line: `set server ${serverPath(at)} health down`,
  read: readDone,
});

/** What HAProxy says where a server has nothing that could be changed so. */
const nothingThere =
  /^(Backend is using a static LB algorithm|Agent was not configured on this server|agent checks are not enabled on this server)/;

/** The answer to a command that not every server can follow. */
function readTaken(frame: string): boolean {
  if (nothingThere.test(frame)) return false;
  readDone(frame);
  return true;
}

/** Of 0 to 256; the answer is false where a static algorithm takes none but what it has. Level admin. */
export const setWeight = (at: ServerName, weight: number): Command<boolean> => ({
  line: `set server ${serverPath(at)} weight ${checkWeight(weight)}`,
  read: readTaken,
});

function checkWeight(weight: number): number {
  if (Number.isSafeInteger(weight) && weight >= 0 && weight <= 256) return weight;
  throw new RangeError(`${weight} is not a weight that HAProxy allows (0 to 256)`);
}

/** Its agent is asked nothing more, and no answer changes its state or weight. Done also where it has none. Level admin. */
export const disableAgent = (at: ServerName): Command<void> => ({
  line: `disable agent ${serverPath(at)}`,
  read: readDone,
});

/** Asked again; what it answered last counts until it answers. The answer is false where it has no agent. Level admin. */
export const enableAgent = (at: ServerName): Command<boolean> => ({
  line: `enable agent ${serverPath(at)}`,
  read: readTaken,
});

/** As if its agent had answered "down", until it answers. The answer is false where none is asked. Level admin. */
export const setAgentDown = (at: ServerName): Command<boolean> => ({
  line: `set server ${serverPath(at)} agent down`,
  read: readTaken,
});

/** All servers, or those of one backend: the only answer that holds the admin state. Level user. */
export const showServersState = (backend?: string): Command<ServerState[]> => ({
  line: backend === undefined ? "show servers state" : `show servers state ${checkName(backend)}`,
  read: readServerStates,
});

// `show stat` takes a backend by the number that `show servers state` gives it. A name would do as well, until a
// frontend has the same one: then HAProxy takes the frontend, and the answer is a header without rows.

/** Server rows of all backends, of one, or of one server in it. Level user. */
export const showServers = (backendId?: number, serverId?: number): Command<ServerRow[]> => ({
  line: `show stat ${numberOrAll(backendId)} 4 ${numberOrAll(serverId)}`,
  read: readServerRows,
});

/** Backend rows: how many servers are usable now. Level user. */
export const showBackends = (backendId?: number): Command<BackendRow[]> => ({
  line: `show stat ${numberOrAll(backendId)} 2 -1`,
  read: readBackends,
});

/** One server, by its numbers: cheap whatever the size of the backend. No row for numbers that don't exist. Level user. */
export const showServer = (backendId: number, serverId: number): Command<Activity[]> => ({
  line: `show stat ${checkNumber(backendId)} 4 ${checkNumber(serverId)}`,
  read: readActivity,
});

/** What one server has counted, by its numbers, as in `showServer`. Level user. */
export const showTally = (backendId: number, serverId: number): Command<TallyRow[]> => ({
  line: showServer(backendId, serverId).line,
  read: readTallies,
});

const numberOrAll = (id: number | undefined): number => (id === undefined ? -1 : checkNumber(id));

function checkNumber(id: number): number {
  if (Number.isSafeInteger(id) && id >= 0) return id;
  throw new RangeError(`${id} is not a number that HAProxy gives`);
}

/** Level user. */
export const showInfo = (): Command<Info> => ({ line: "show info", read: readInfo });

/** What this socket may do: user, operator or admin. Level user. */
export const showCliLevel = (): Command<string> => ({ line: "show cli level", read: readLevel });

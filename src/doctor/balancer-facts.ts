/** What one balancer says of itself. Asks only, and changes nothing. */
import { readFile, readlink, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { RotaError, messageOf } from "../base/errors.ts";
import { type Info, type ServerState, readCsv } from "../balancer/answers.ts";
import { askBalancer } from "../balancer/asking.ts";
import { type Command, showCliLevel, showServersState } from "../balancer/commands.ts";
import { sayAddress } from "../balancer/exchange.ts";
import { showProc } from "../balancer/master.ts";
import { runtimeOn } from "../balancer/runtime.ts";
import type { Ways } from "../balancer/ways.ts";
import type { Balancer, SocketBalancer } from "../inventory/fleet.ts";
import { type HaproxyConfig, readHaproxyConfig } from "./haproxy-config.ts";

export interface BalancerFacts {
  name: string;
  address: string;
  /** Nodes leave by it: it must be told. */
  told: boolean;
  seen: Seen | RotaError;
}

export interface Seen {
  info: Info;
  level: string;
  servers: ServerFacts[];
  backends: BackendFacts[];
  /** Undefined where the level does not show it. */
  environment: Environment | undefined;
  /** Undefined where the inventory names none. */
  master: Master | { problem: string } | undefined;
  /** A text says why it can't be seen. */
  config: HaproxyConfig | string;
}

/** What its master says. */
export interface Master {
  /** Process ids, old ones too. */
  workers: number[];
  /** Reloads since the last good one. */
  failedReloads: number;
}

/** A server line, as its health is seen. */
export interface ServerFacts {
  backend: string;
  server: string;
  checked: boolean;
  agent: boolean;
  /** "backend/server", or "". */
  tracks: string;
}

export interface BackendFacts {
  backend: string;
  /** "" below level operator. */
  algorithm: string;
  /** Clients are bound by it; "" for none, and below level operator. */
  cookie: string;
  /** Requests that wait for a server now. */
  queued: number;
}

export interface Environment {
  /** Paths of its configuration, as it was given them. */
  files: string[];
  /** It has a master process. */
  mastered: boolean;
  /** Where that listens. */
  masterSocket: string | undefined;
}

/** A statistics page is read by the survey, and shows no more. */
export async function balancerFacts(
  balancer: Balancer,
  told: boolean,
  ways: Ways,
): Promise<BalancerFacts | undefined> {
  const { name, socket, master } = balancer;
  if (socket.kind === "http") return undefined;
  const facts = { name, address: sayAddress(socket), told };
  try {
    return { ...facts, seen: await seenAt({ name, socket, master }, ways) };
  } catch (thrown) {
    if (!(thrown instanceof RotaError)) throw thrown;
    return { ...facts, seen: thrown };
  }
}

async function seenAt(balancer: SocketBalancer, ways: Ways): Promise<Seen> {
  const { info, answers } = await askBalancer(balancer, ways).ask(
    showCliLevel(),
    showServersState(),
    showRows,
    showEnv("HAPROXY_CFGFILES"),
    showEnv("HAPROXY_MWORKER"),
    showEnv("HAPROXY_MASTER_CLI"),
  );
  const [level, states, rows, files, mastered, masterSocket] = answers;
  const environment =
    files === undefined
      ? undefined
      : {
          files: files.split(";"),
          mastered: mastered !== undefined,
          masterSocket: masterSocket?.split(";")[0],
        };
  return {
    info,
    level,
    servers: states.map((state) => serverOf(state, rows.tracked)),
    backends: rows.backends,
    environment,
    master: await masterOf(balancer, ways),
    config: await configOf(balancer, info, environment),
  };
}

const serverOf = (
  { backend, server, checked, agent }: ServerState,
  tracked: Map<string, string>,
): ServerFacts => ({
  backend,
  server,
  checked,
  agent,
  tracks: tracked.get(`${backend}/${server}`) ?? "",
});

interface Rows {
  /** By "backend/server". */
  tracked: Map<string, string>;
  backends: BackendFacts[];
}

const showRows: Command<Rows> = {
  line: "show stat -1 6 -1",
  read(frame) {
    const rows = readCsv(frame);
    const isBackend = (svname: string): boolean => svname === "BACKEND";
    return {
      tracked: new Map(
        rows.map((row) => [`${row.text("pxname")}/${row.text("svname")}`, row.text("tracked")]),
      ),
      backends: rows
        .filter((row) => isBackend(row.text("svname")))
        .map((row) => ({
          backend: row.text("pxname"),
          algorithm: row.text("algo"),
          cookie: row.text("cookie"),
          queued: row.count("qcur"),
        })),
    };
  },
};

/** One variable of HAProxy's own, and never all: they may hold secrets. Level operator. */
const showEnv = (name: string): Command<string | undefined> => ({
  line: `show env ${name}`,
  read: (frame) => (frame.startsWith(`${name}=`) ? frame.slice(name.length + 1) : undefined),
});

async function masterOf({ name, master }: SocketBalancer, ways: Ways): Promise<Seen["master"]> {
  if (!master) return undefined;
  try {
    const [said] = await runtimeOn(ways, name, master).ask(showMaster);
    return said;
  } catch (thrown) {
    return { problem: messageOf(thrown) };
  }
}

/** Source: Management Guide §9.4, "show proc". */
const showMaster: Command<Master> = {
  ...showProc(),
  read: (frame) => ({
    workers: showProc().read(frame),
    failedReloads: Number(/^\d+\s+master\s.*\[failed: (\d+)\]/m.exec(frame)?.[1] ?? 0),
  }),
};

const longestConfig = 4 * 1024 * 1024;

/** Read where it lies on this machine, and is certainly that of this process. */
async function configOf(
  { socket }: SocketBalancer,
  { pid, uptime = 0 }: Info,
  environment: Environment | undefined,
): Promise<HaproxyConfig | string> {
  if (environment === undefined) return "HAProxy does not say at this socket where it is";
  if (socket.kind !== "unix") return `${environment.files.join(", ")} is on another machine`;
  try {
    const words = (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0");
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => "/");
    const { files } = environment;
    if (!words[0]?.includes("haproxy") || files.some((file) => !words.includes(file)))
      return "the process is not one of this machine";
    const paths = files.map((file) => resolve(cwd, file));
    const changes = await Promise.all(paths.map(async (path) => (await stat(path)).mtimeMs));
    if (Math.max(...changes) > Date.now() - uptime * 1_000)
      return `${files.join(", ")} has changed since its worker began, and may not be what runs`;
    const texts = await Promise.all(paths.map((path) => readFile(path, "utf8")));
    const text = texts.join("\n");
    if (text.length > longestConfig) return "it is too long";
    return readHaproxyConfig(text) ?? `${files.join(", ")} has conditions (.if)`;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

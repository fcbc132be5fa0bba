import { RotaError } from "../base/errors.ts";
import type { SocketBalancer } from "../inventory/fleet.ts";
import type { Activity, OldWorkers, Place } from "../rotation/ports.ts";
import { AnswerError, type Info, type ServerState } from "./answers.ts";
import { intoLines, unreachable } from "./asking.ts";
import { showServer, showServersState } from "./commands.ts";
import { type Deadlines, NoAnswer, sayAddress } from "./exchange.ts";
import { showProc, toWorker } from "./master.ts";
import { runtimeOn } from "./runtime.ts";
import { type Session, showSessions, shutdownSession } from "./sessions.ts";
import type { Ways } from "./ways.ts";

/** What one balancer's old workers do, or that nobody can tell. */
export interface Reloads {
  active: Activity[];
  unseen: OldWorkers["unseen"][number] | undefined;
}

/** A session that an old worker still has. */
export type OldSession = Session & { process: number };

export interface AskingOld {
  at(places: Place[], current: Info): Promise<Reloads>;
  sessions(places: Place[], current: Info): Promise<OldSession[]>;
  /** Ends them; returns how many there were. */
  shut(places: Place[], current: Info): Promise<number>;
}

/**
 * The workers that a reload replaced, asked through the master's socket. There is none that we don't know of while
 * the current worker is the same: the master is asked when that changed, and old workers only while they live.
 */
export function oldWorkers(balancer: SocketBalancer, ways: Ways, within?: Deadlines): AskingOld {
  const { name, master } = balancer;
  if (!master)
    return {
      at: async (_, current) => ({ active: [], unseen: unseenAt(balancer, current) }),
      sessions: async () => [],
      shut: async () => 0,
    };
  const address = master;
  const { ask } = runtimeOn(ways, name, address, within);
  let since: number | undefined;
  /** By process. A worker's servers never change once it is old. */
  let old = new Map<number, ServerState[] | undefined>();

  async function list(current: number): Promise<void> {
    const [workers] = await ask(showProc());
    if (!workers.includes(current)) throw notItsMaster(balancer, current);
    old = new Map(workers.filter((pid) => pid !== current).map((pid) => [pid, old.get(pid)]));
    since = current;
  }

  async function activityIn(pid: number, places: Place[]): Promise<Activity[]> {
    const servers = old.get(pid) ?? (await ask(toWorker(pid, showServersState())))[0];
    old.set(pid, servers);
    // Its configuration may have been another: what it doesn't have, it sends nothing to.
    const mine = servers.filter((state) => places.some((place) => isAt(state, place)));
    const lines = intoLines(mine.map((at) => [toWorker(pid, showServer(at.backendId, at.serverId))]));
    const rows = [];
    for (const line of lines) rows.push(...(await ask(...line.flat())).flat());
    if (rows.length !== mine.length || !rows.every((row, i) => isAt(row, mine[i])))
      throw new RotaError("BALANCER_ANSWER", {
        problem: `${name}: its old worker ${pid} does not know its own servers`,
      });
    return rows.map((row) => ({ ...row, balancer: name, process: pid, out: true }));
  }

  async function sessionsIn(pid: number, places: Place[]): Promise<OldSession[]> {
    const [sessions] = await ask(toWorker(pid, showSessions()));
    return sessions
      .filter((session) => places.some((place) => isAt(session, place)))
      .map((session) => ({ ...session, process: pid }));
  }

  /** It takes no other order than one for each. */
  async function shutIn(pid: number, places: Place[]): Promise<OldSession[]> {
    const sessions = await sessionsIn(pid, places);
    for (const line of intoLines(sessions.map(({ id }) => [toWorker(pid, shutdownSession(id))])))
      await ask(...line.flat());
    return sessions;
  }

  /** One that ended while it was asked has nothing left. */
  async function orNone<T>(pid: number, current: number, work: () => Promise<T[]>): Promise<T[]> {
    try {
      return await work();
    } catch (thrown) {
      await list(current);
      if (!old.has(pid)) return [];
      throw thrown;
    }
  }

  async function ofEach<T>({ pid: current }: Info, work: (pid: number) => Promise<T[]>): Promise<T[]> {
    try {
      if (since !== current) await list(current);
      const all = [];
      for (const pid of old.keys()) all.push(...(await orNone(pid, current, () => work(pid))));
      return all;
    } catch (thrown) {
      throw named(balancer, address, thrown);
    }
  }

  return {
    at: async (places, current) => ({
      active: await ofEach(current, (pid) => activityIn(pid, places)),
      unseen: undefined,
    }),
    sessions: (places, current) => ofEach(current, (pid) => sessionsIn(pid, places)),
    shut: async (places, current) => (await ofEach(current, (pid) => shutIn(pid, places))).length,
  };
}

const isAt = (one: Pick<Place, "backend" | "server">, at: Pick<Place, "backend" | "server"> | undefined) =>
  one.backend === at?.backend && one.server === at.server;

const masterSocket = "HAProxy's master socket (haproxy -W -S …)";

function named(
  { name }: SocketBalancer,
  at: NonNullable<SocketBalancer["master"]>,
  thrown: unknown,
): unknown {
  if (thrown instanceof NoAnswer) {
    const { next, cause, closedToUs } = thrown;
    const why = thrown.message.replace(/; is HAProxy running, with "stats socket .*$/, "");
    return unreachable(
      `${name}: its master`,
      at,
      new NoAnswer(why, { next, cause, closedToUs }),
      masterSocket,
    );
  }
  if (!(thrown instanceof AnswerError)) return thrown;
  // The master lists a worker for a moment after its end. It is asked again, and then gone.
  if (thrown.kind === "stopping")
    return new RotaError("BALANCER_UNREACHABLE", {
      problem: `${name}: an old worker ended while it was asked`,
      cause: thrown,
    });
  return new RotaError("BALANCER_ANSWER", {
    problem: `${name}: ${sayAddress(at)} does not answer as a master: ${thrown.message}`,
    next: `see that balancers.${name}.master is ${masterSocket}, not a "stats socket"`,
    cause: thrown,
  });
}

/** Also true for a moment while a reload goes on: so it is asked again where that is possible. */
const notItsMaster = ({ name }: SocketBalancer, current: number): RotaError =>
  new RotaError("BALANCER_UNREACHABLE", {
    problem: `${name}: its master does not know the worker ${current} that answers at its runtime socket`,
    next: `see that balancers.${name}.master is the socket of the same HAProxy`,
  });

/** Where Debian's haproxy.service puts it. */
const usualMaster = "/run/haproxy-master.sock";

function unseenAt({ name, socket }: SocketBalancer, { uptime }: Info): Reloads["unseen"] {
  if (uptime === undefined) return undefined;
  const { prefix, address } =
    socket.kind === "ssh"
      ? { prefix: sayAddress({ ...socket, path: "" }), address: sayAddress(socket) }
      : { prefix: "unix:", address: socket.kind === "unix" ? `unix:${socket.path}` : sayAddress(socket) };
  return {
    balancer: name,
    age: uptime * 1_000,
    next: `balancers: { ${name}: { socket: "${address}", master: "${prefix}${usualMaster}" } }`,
  };
}

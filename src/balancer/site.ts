import { RotaError } from "../base/errors.ts";
import type { SocketBalancer } from "../inventory/fleet.ts";
import type { Activity, Backend, Entry, Place, Session, Survey, Tally } from "../rotation/ports.ts";
import type { BackendRow, Info, ServerRow, ServerState } from "./answers.ts";
import { askBalancer } from "./asking.ts";
import {
  type Command,
  type ServerName,
  showBackends,
  showCliLevel,
  showServer,
  showServers,
  showServersState,
  showTally,
} from "./commands.ts";
import type { Deadlines } from "./exchange.ts";
import { jointSite } from "./joint-site.ts";
import { askingByNumber, stateAt } from "./numbers.ts";
import { type Reloads, oldWorkers } from "./old-workers.ts";
import { backendsOf, entriesOf, heldOut } from "./reading.ts";
import { filtersSessions, showSessions, shutdownSessions } from "./sessions.ts";
import { type Telling, tellingOn } from "./telling.ts";
import type { Ways } from "./ways.ts";

/** One balancer of the inventory, and what rota asks it. */
export interface BalancerSite extends Telling {
  survey(needs: "read" | "change"): Promise<Survey>;
  answers(): Promise<boolean>;
  look(places: Place[]): Promise<Entry[]>;
  watch(places: Place[]): Promise<Activity[]>;
  tally(places: Place[]): Promise<Tally[]>;
  /** What workers that a reload replaced still have at these places. */
  old(places: Place[]): Promise<Reloads>;
  /** Who is at these places, at old workers too. */
  sessions(places: Place[]): Promise<Session[]>;
  /** Ends what is there; returns how many sessions that were. */
  shut(places: Place[]): Promise<number>;
  capacity(places: Place[]): Promise<Backend[]>;
}

export function balancerSite(balancer: SocketBalancer, ways: Ways, within?: Deadlines): BalancerSite {
  const { name } = balancer;
  const { ask, askAll, noRights, latest, turn } = askBalancer(balancer, ways, within);
  const old = oldWorkers(balancer, ways, within);

  async function statesOf(places: Place[]): Promise<ServerState[]> {
    const backends = [...new Set(places.map((place) => place.backend))];
    const views = await askAll(backends.map((backend) => [showServersState(backend)] as const));
    return views.flatMap(({ answers: [states] }) => states);
  }

  const byNumber = askingByNumber(name, statesOf);

  /** These backends, each as it was at one moment. */
  async function viewsOf(numbers: ServerState[]): Promise<View[] | undefined> {
    const backends = [...new Map(numbers.map(({ backend, backendId }) => [backend, backendId]))];
    const views = await askAll(
      backends.map(
        ([backend, id]) => [showServersState(backend), showServers(id), showBackends(id)] as const,
      ),
    );
    const fits = views.every(({ answers: [, , [totals]] }, i) => totals?.backend === backends[i]?.[0]);
    return fits ? views.map(({ answers }) => answers) : undefined;
  }

  /** These places alone: whole only where that is less than a row for each. */
  async function entriesAt(places: Place[], numbers: ServerState[]): Promise<Entry[] | undefined> {
    const backends = [...new Map(numbers.map(({ backend, backendId }) => [backend, backendId]))];
    const views = await askAll(
      backends.map(([backend, id]) => {
        const mine = numbers.filter((at) => at.backend === backend);
        const rows =
          mine.length > mostRows ? [showServers(id)] : mine.map((at) => showServers(id, at.serverId));
        return [showServersState(backend), ...rows] as const;
      }),
    );
    const entries = views.flatMap(({ answers: [states, ...rows] }) => entriesOf(name, states, rows.flat()));
    const at = new Map(entries.map((entry) => [nameOf(entry), entry]));
    const seen = places.flatMap((place) => at.get(nameOf(place)) ?? []);
    return seen.length === places.length ? seen : undefined;
  }

  /** The row of each place, and the worker that said it. */
  async function rowsOf<Row extends ServerName>(
    places: Place[],
    numbers: ServerState[],
    show: (backendId: number, serverId: number) => Command<Row[]>,
  ): Promise<(Place & Row & { process: number })[] | undefined> {
    const views = await askAll(
      numbers.map(({ backendId, serverId }) => [show(backendId, serverId)] as const),
    );
    const seen = views.flatMap(({ info, answers: [[row]] }, i) => {
      const place = places[i];
      if (!place || row?.backend !== place.backend || row.server !== place.server) return [];
      return { ...place, ...row, process: info.pid };
    });
    return seen.length === places.length ? seen : undefined;
  }

  async function activityOf(places: Place[], numbers: ServerState[]): Promise<Activity[] | undefined> {
    const rows = await rowsOf(places, numbers, showServer);
    return rows?.map((row) => ({ ...row, out: /^(DRAIN|MAINT)/.test(row.status) }));
  }

  const current = async (): Promise<Info> => latest() ?? (await ask()).info;

  async function sessionsAt(places: Place[]): Promise<Session[]> {
    const { version } = await current();
    // An answer that is not about the place alone may be long: once is enough.
    const groups = filtersSessions(version)
      ? places.map((at) => [showSessions(at)] as const)
      : [[showSessions()] as const];
    const given = (await askAll(groups)).flatMap(({ answers: [sessions] }) => sessions);
    return given.flatMap(({ backend, server, client, age }) =>
      places.some((at) => at.backend === backend && at.server === server)
        ? { balancer: name, backend, server, client, age }
        : [],
    );
  }

  /** Counted in the same moment. */
  async function shutAt(places: Place[], numbers: ServerState[]): Promise<number | undefined> {
    const views = await askAll(
      numbers.map((at) => [showServer(at.backendId, at.serverId), shutdownSessions(at)] as const),
    );
    const rows = views.flatMap(({ answers: [[row]] }, i) =>
      row?.backend === places[i]?.backend && row?.server === places[i]?.server ? (row ?? []) : [],
    );
    return rows.length === places.length ? rows.reduce((sum, row) => sum + row.sessions, 0) : undefined;
  }

  const site: BalancerSite = {
    ...tellingOn(name, askAll),

    async survey(needs) {
      const { info, answers } = await ask(showCliLevel(), showServersState(), showServers(), showBackends());
      const [level, states, rows, totals] = answers;
      if (needs === "change" && level !== "admin") throw noRights(level);
      // What is wrong with the master's socket is better known before a node waits for it.
      if (needs === "change") await old.at([], info);
      const entries = entriesOf(name, states, rows);
      return { entries, backends: backendsOf(name, entries, totals), unread: [] };
    },

    answers: () => isAnswered(ask()),

    look: (places) => byNumber(places, (numbers) => entriesAt(places, numbers)),

    async watch(places) {
      const seen = await byNumber(places, (numbers) => activityOf(places, numbers));
      // These are shown whether or not the server is drained too: after a reload only a check may keep it out.
      const unclear = seen.filter(({ status }) => /^(DOWN|NOLB|MAINT \(resolution\))/.test(status));
      if (unclear.length === 0) return seen;
      const states = await statesOf(unclear);
      return seen.map((at) =>
        unclear.includes(at) ? { ...at, out: heldOut(stateAt(states, at, name)) } : at,
      );
    },

    tally: (places) => byNumber(places, (numbers) => rowsOf(places, numbers, showTally)),

    old: async (places) => old.at(places, await current()),

    async sessions(places) {
      const now = await sessionsAt(places);
      const before = await old.sessions(places, await current());
      return [
        ...now,
        ...before.map(({ backend, server, client, age, process: oldWorker }) => ({
          balancer: name,
          backend,
          server,
          client,
          age,
          oldWorker,
        })),
      ];
    },

    async shut(places) {
      const now = await byNumber(places, (numbers) => shutAt(places, numbers));
      return now + (await old.shut(places, await current()));
    },

    async capacity(places) {
      const views = await byNumber(places, viewsOf);
      return views.flatMap(([states, rows, totals]) =>
        backendsOf(name, entriesOf(name, states, rows), totals),
      );
    },
  };
  return jointSite(site, turn);
}

/** Each comes with a header of its own, as long as six more rows. */
const mostRows = 100;

const nameOf = ({ backend, server }: ServerName): string => `${backend}/${server}`;

/** Whether there was an answer at all. */
export const isAnswered = (asked: Promise<unknown>): Promise<boolean> =>
  asked.then(
    () => true,
    (thrown: unknown) => {
      if (!(thrown instanceof RotaError)) throw thrown;
      return thrown.code !== "BALANCER_UNREACHABLE";
    },
  );

/** One backend: its servers' states, their rows, and the row of the backend itself. */
type View = [states: ServerState[], servers: ServerRow[], totals: BackendRow[]];

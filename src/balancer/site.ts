import { RotaError } from "../base/errors.ts";
import type { SocketBalancer } from "../inventory/fleet.ts";
import type { Activity, AdminState, Backend, Entry, Place, Survey, Tally } from "../rotation/ports.ts";
import type { BackendRow, ServerRow, ServerState } from "./answers.ts";
import { askBalancer } from "./asking.ts";
import {
  type ServerName,
  setHealthDown,
  setState,
  showBackends,
  showCliLevel,
  showServer,
  showServers,
  showServersState,
  showTally,
  type Command,
} from "./commands.ts";
import type { Deadlines } from "./exchange.ts";
import { askingByNumber, stateAt } from "./numbers.ts";
import { type Reloads, oldWorkers } from "./old-workers.ts";
import { adminState, backendsOf, entriesOf, heldOut, tookState } from "./reading.ts";
import type { Ways } from "./ways.ts";

/** One balancer of the inventory, and what rota asks it. */
export interface BalancerSite {
  survey(needs: "read" | "change"): Promise<Survey>;
  look(places: Place[]): Promise<Entry[]>;
  /** @param distrust takes the health verdict back too */
  set(places: Place[], state: AdminState, distrust: boolean): Promise<void>;
  watch(places: Place[]): Promise<Activity[]>;
  tally(places: Place[]): Promise<Tally[]>;
  /** What workers that a reload replaced still have at these places. */
  old(places: Place[]): Promise<Reloads>;
  capacity(places: Place[]): Promise<Backend[]>;
}

export function balancerSite(balancer: SocketBalancer, ways: Ways, within?: Deadlines): BalancerSite {
  const { name } = balancer;
  const { ask, askAll, noRights, latest } = askBalancer(balancer, ways, within);
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

  return {
    async survey(needs) {
      const { info, answers } = await ask(showCliLevel(), showServersState(), showServers(), showBackends());
      const [level, states, rows, totals] = answers;
      if (needs === "change" && level !== "admin") throw noRights(level);
      // What is wrong with the master's socket is better known before a node waits for it.
      if (needs === "change") await old.at([], info);
      const entries = entriesOf(name, states, rows);
      return { entries, backends: backendsOf(name, entries, totals), unread: [] };
    },

    async look(places) {
      const views = await byNumber(places, viewsOf);
      const entries = views.flatMap(([states, rows]) => entriesOf(name, states, rows));
      return places.map((place) => {
        const entry = entries.find((e) => e.backend === place.backend && e.server === place.server);
        if (entry) return entry;
        throw new RotaError("SERVER_MISSING", {
          problem: `${name}: the backend ${place.backend} has no server ${place.server} any more`,
        });
      });
    },

    async set(places, state, distrust) {
      const views = await askAll(
        places.map((at) => {
          // HAProxy says "done" also where nothing could change: what counts is read back, by the same worker.
          const told = [setState(at, state), showServersState(at.backend)] as const;
          return distrust ? ([...told, setHealthDown(at)] as const) : told;
        }),
      );
      const refused = places.flatMap((at, i) => {
        const now = stateAt(views[i]?.answers[1] ?? [], at, name);
        if (tookState(now, state)) return [];
        return `${at.backend}/${at.server} was told ${state} and is ${adminState(now)}`;
      });
      if (refused.length === 0) return;
      throw new RotaError("BALANCER_ANSWER", { problem: `${name}: ${refused.join("; ")}` });
    },

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

    old: async (places) => old.at(places, latest() ?? (await ask()).info),

    async capacity(places) {
      const views = await byNumber(places, viewsOf);
      return views.flatMap(([states, rows, totals]) =>
        backendsOf(name, entriesOf(name, states, rows), totals),
      );
    },
  };
}

/** One backend: its servers' states, their rows, and the row of the backend itself. */
type View = [states: ServerState[], servers: ServerRow[], totals: BackendRow[]];

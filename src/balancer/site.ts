import { RotaError } from "../base/errors.ts";
import type { Balancer } from "../inventory/fleet.ts";
import type { Activity, AdminState, Backend, Entry, Place, Survey } from "../rotation/ports.ts";
import { AnswerError } from "./answers.ts";
import {
  type Command,
  setHealthDown,
  setState,
  showBackends,
  showCliLevel,
  showInfo,
  showServer,
  showServers,
  showServersState,
} from "./commands.ts";
import { NoAnswer, sayAddress } from "./exchange.ts";
import { backendsOf, entriesOf } from "./reading.ts";
import { openRuntime } from "./runtime.ts";

/** One balancer of the inventory, with what rota asks it. Every error names it. */
export interface BalancerSite {
  survey(needs: "read" | "change"): Promise<Survey>;
  look(places: Place[]): Promise<Entry[]>;
  set(places: Place[], state: AdminState, distrust: boolean): Promise<void>;
  watch(places: Place[]): Promise<Activity[]>;
  capacity(places: Place[]): Promise<Backend[]>;
}

export function balancerSite({ name, socket }: Balancer): BalancerSite {
  const runtime = openRuntime(socket);
  /** HAProxy's numbers for servers, which may change with a reload: learned when they don't fit. */
  let numbers = new Map<string, number>();

  const ask = async <const C extends readonly Command<unknown>[]>(...commands: C) =>
    runtime.ask(...commands).catch((thrown: unknown) => {
      throw named(thrown);
    });

  /** The same error, with the balancer's name and what to do about it. */
  function named(thrown: unknown): unknown {
    if (thrown instanceof NoAnswer) {
      return new RotaError("BALANCER_UNREACHABLE", { problem: `${name}: ${thrown.message}`, cause: thrown });
    }
    if (!(thrown instanceof AnswerError)) return thrown;
    switch (thrown.kind) {
      case "permission denied":
        return noRights("less than admin", thrown);
      case "no such server":
      case "no such backend":
        return new RotaError("SERVER_MISSING", { problem: `${name}: ${thrown.message}`, cause: thrown });
      case "stopping":
      case "not understood":
        return new RotaError("BALANCER_ANSWER", { problem: `${name}: ${thrown.message}`, cause: thrown });
    }
  }

  const noRights = (level: string, cause?: unknown): RotaError =>
    new RotaError("BALANCER_RIGHTS", {
      problem: `${name}: its socket gives the level ${level}, and draining needs admin: in HAProxy's global section write "stats socket ${sayAddress(socket).replace("tcp://", "ipv4@")} level admin"`,
      cause,
    });

  async function learnNumbers(places: Place[]): Promise<void> {
    const states = (await ask(...backendsIn(places).map((backend) => showServersState(backend)))).flat();
    numbers = new Map([...numbers, ...states.map((s) => [`${s.backend}/${s.server}`, s.serverId] as const)]);
  }

  async function watchOnce(places: Place[]): Promise<Activity[] | undefined> {
    const ids = places.map((place) => numbers.get(`${place.backend}/${place.server}`));
    if (ids.includes(undefined)) return undefined;
    const [info, ...rows] = await ask(
      showInfo(),
      ...places.map((p, i) => showServer(p.backend, ids[i] ?? 0)),
    );
    const seen = places.map((place, i) => ({ place, row: rows[i]?.[0] }));
    if (seen.some(({ place, row }) => row?.server !== place.server)) return undefined;
    return seen.flatMap(({ place, row }) =>
      row ? [{ ...row, ...place, process: info.pid, out: /^(DRAIN|MAINT|NOLB|DOWN)/.test(row.status) }] : [],
    );
  }

  return {
    async survey(needs) {
      const [info, level, states, rows, backends] = await ask(
        showInfo(),
        showCliLevel(),
        showServersState(),
        showServers(),
        showBackends(),
      );
      if (info.stopping)
        throw new RotaError("BALANCER_ANSWER", { problem: `${name}: an old worker answered` });
      if (needs === "change" && level !== "admin") throw noRights(level);
      const entries = entriesOf(name, states, rows);
      return { entries, backends: backendsOf(name, entries, backends) };
    },

    async look(places) {
      const backends = backendsIn(places);
      const states = (await ask(...backends.map((backend) => showServersState(backend)))).flat();
      const rows = (await ask(...backends.map((backend) => showServers(backend)))).flat();
      const entries = entriesOf(name, states, rows);
      return places.map((place) => {
        const entry = entries.find((e) => e.backend === place.backend && e.server === place.server);
        if (entry) return entry;
        throw new RotaError("SERVER_MISSING", {
          problem: `${name}: the backend ${place.backend} has no server ${place.server} any more`,
        });
      });
    },

    async set(places, state, distrust) {
      await ask(
        ...places.flatMap((at) =>
          distrust ? [setState(at, state), setHealthDown(at)] : [setState(at, state)],
        ),
      );
    },

    async watch(places) {
      const seen = await watchOnce(places);
      if (seen) return seen;
      await learnNumbers(places);
      const again = await watchOnce(places);
      if (again) return again;
      const missing = places.map((place) => `${place.backend}/${place.server}`).join(", ");
      throw new RotaError("SERVER_MISSING", {
        problem: `${name}: no answer about ${missing}; was HAProxy's configuration changed?`,
      });
    },

    async capacity(places) {
      const asked = backendsIn(places);
      const views = await Promise.all(
        asked.map((backend) => ask(showServersState(backend), showServers(backend), showBackends(backend))),
      );
      return views.flatMap(([states, rows, backends]) =>
        backendsOf(name, entriesOf(name, states, rows), backends),
      );
    },
  };
}

const backendsIn = (places: Place[]): string[] => [...new Set(places.map((place) => place.backend))];
